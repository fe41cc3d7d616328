// All journeys, with one demo and one browser between them.
import { after, before } from 'node:test';
import { accounts } from './account.mjs';
import { assistant } from './assistant.mjs';
import { blogs } from './blog.mjs';
import { cookieTable } from './cookies.mjs';
import { display } from './display.mjs';
import { start } from './harness.mjs';
import { letters } from './letter.mjs';
import { mailboxes } from './mailbox.mjs';
import { newsletters } from './newsletter.mjs';
import { personal } from './personal.mjs';
import { staff } from './staff.mjs';
import { website } from './website.mjs';

let ps;
before(async () => { ps = await start(); });
after(async () => { await ps?.stop(); });

const demo = () => ps;
letters(demo);
assistant(demo);
display(demo);
staff(demo);
personal(demo);
accounts(demo);
mailboxes(demo);
newsletters(demo);
blogs(demo);
website(demo);
cookieTable(demo); // last: it judges all that the others were given
