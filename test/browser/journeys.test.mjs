// All journeys, with one demo and one browser between them.
import { after, before } from 'node:test';
import { assistant } from './assistant.mjs';
import { display } from './display.mjs';
import { start } from './harness.mjs';
import { letters } from './letter.mjs';
import { staff } from './staff.mjs';

let ps;
before(async () => { ps = await start(); });
after(async () => { await ps?.stop(); });

const demo = () => ps;
letters(demo);
assistant(demo);
display(demo);
staff(demo);
