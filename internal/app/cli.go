package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/alecthomas/kong"

	"poststelle/internal/fault"
	"poststelle/internal/i18n"
)

// Streams are what a command reads and prints.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Exit codes of the command line.
const (
	exitGood   = 0
	exitFailed = 1
	exitUsage  = 2
)

// commandLine is every command. A command with a method open(…) works on an
// opened installation: in the running server, or in this process when none
// runs. The others have run(…).
type commandLine struct {
	Config configFile `help:"JSON file with settings, named as the flags of serve." placeholder:"FILE"`

	Demo  demoCommand  `cmd:"" help:"Everything in one process with sample content, to look at."`
	Serve serveCommand `cmd:"" help:"The server."`

	Tenant struct {
		Add  tenantAdd  `cmd:"" help:"Add an authority, or many from a list."`
		List tenantList `cmd:"" help:"List authorities and the operator."`
		Show tenantShow `cmd:"" help:"Show one with its offices and mailboxes."`

		Module struct {
			On  moduleOn  `cmd:"" help:"Switch a module on."`
			Off moduleOff `cmd:"" help:"Switch a module off."`
		} `cmd:"" help:"Modules of the website."`
		Networks struct {
			Set  networksSet  `cmd:"" help:"Set the networks from which the members' area is reached."`
			List networksList `cmd:"" help:"List them."`
		} `cmd:"" help:"Networks of the members' area."`

		Mail struct {
			Add    mailAdd    `cmd:"" help:"Publish an address: mail to it is taken in."`
			List   mailList   `cmd:"" help:"List published addresses."`
			Remove mailRemove `cmd:"" help:"Take an address back."`
		} `cmd:"" help:"Addresses to which mail is taken in."`
	} `cmd:"" help:"Authorities of the installation."`
	Mailbox struct {
		Add  mailboxAdd  `cmd:"" help:"Add a mailbox to an authority."`
		Set  mailboxSet  `cmd:"" help:"Change after how many days closed matters are deleted."`
		List mailboxList `cmd:"" help:"List mailboxes with their limits."`
	} `cmd:"" help:"Mailboxes of the offices."`
	Banner struct {
		Add  bannerAdd  `cmd:"" help:"Show a system message."`
		List bannerList `cmd:"" help:"List current and planned messages."`
		End  bannerEnd  `cmd:"" help:"Take a message off the pages."`
	} `cmd:"" help:"System and maintenance messages."`
	Staff struct {
		Add          staffAdd          `cmd:"" help:"Add a member of staff; prints the set-up of the second factor."`
		List         staffList         `cmd:"" help:"List the staff of an authority."`
		Password     staffPassword     `cmd:"" help:"Give a person a new password."`
		SecondFactor staffSecondFactor `cmd:"" help:"Set a person's second factor up anew."`
		Join         staffJoin         `cmd:"" help:"Let a person work in a mailbox."`
		Leave        staffLeave        `cmd:"" help:"End a person's work in a mailbox at once."`
		SignOut      staffSignOut      `cmd:"" help:"End all sessions of a person at once."`
		Disable      staffDisable      `cmd:"" help:"End a person's access at once."`
	} `cmd:"" help:"Staff of the authorities."`
	Newsletter struct {
		Import newsletterImport `cmd:"" help:"Take over subscribers with the evidence of their consent."`
		Export newsletterExport `cmd:"" help:"Print subscribers with the evidence of their consent; recorded in the journal."`
	} `cmd:"" help:"Subscribers of newsletters."`
	Mail struct {
		DKIM mailDKIM `cmd:"" name:"dkim" help:"Make or change the key that signs mail of an authority."`
		DNS  mailDNS  `cmd:"" name:"dns" help:"Print the DNS records of outgoing mail and look whether they stand."`
	} `cmd:"" help:"Outgoing mail."`
	Journal struct {
		Verify journalVerify `cmd:"" help:"Check the journal of every authority and the audit of the vault."`
	} `cmd:"" help:"Who did what."`
	Jobs struct {
		List  jobsList  `cmd:"" help:"List jobs that were given up."`
		Retry jobsRetry `cmd:"" help:"Run a job that was given up once more."`
	} `cmd:"" help:"Work in the background."`
	Accesslog struct {
		Export accesslogExport `cmd:"" help:"Write the access log of an authority; recorded in the journal."`
	} `cmd:"" help:"The log of nine fields."`
	Receipt struct {
		Verify receiptVerify `cmd:"" help:"Check a receipt without a server."`
		Key    receiptKey    `cmd:"" help:"Print the fingerprint of an authority's receipt key."`
	} `cmd:"" help:"Receipts of letters."`
	Blog struct {
		Import blogImport `cmd:"" help:"Take over comments and posts from Disqus or WordPress."`
		Export blogExport `cmd:"" help:"Write posts and public comments as JSON."`
	} `cmd:"" help:"The website's news."`
	Load    loadCommand    `cmd:"" help:"Fill a database with realistic letters, or drive load against a server."`
	Version versionCommand `cmd:"" help:"Print the version."`
	Help    helpCommand    `cmd:"" help:"List all commands."`
}

// opener is a command that needs an opened installation.
type opener interface {
	where() *dataFlags
	open(ctx context.Context, a *App, s Streams) error
}

// runner is a command that needs none.
type runner interface {
	run(ctx context.Context, s Streams) error
}

// inputFile is a command that reads a file of the person who typed it: the
// file is read here, because the server may run elsewhere in the file system.
type inputFile interface {
	inputFile() string
}

// dataFlags say which installation a command works on. They are not sent to a
// running server: it has its own.
type dataFlags struct {
	Data     string `help:"Directory of the installation; /var/lib/poststelle otherwise." env:"POSTSTELLE_DATA" default:"/var/lib/poststelle" placeholder:"DIR" json:"-"`
	Database string `help:"postgres:// address; SQLite in the data directory otherwise." env:"POSTSTELLE_DATABASE" placeholder:"URL" json:"-"`
}

func (d *dataFlags) where() *dataFlags { return d }

// errUsage makes a command end with exit code 2.
var errUsage = errors.New("wrong use")

// usage returns an error that ends a command with exit code 2.
func usage(format string, args ...any) error {
	return fmt.Errorf("%w: %w", errUsage, fmt.Errorf(format, args...))
}

// Run is the program: it runs one command line and returns its exit code.
// Errors go to s.Err.
func Run(ctx context.Context, args []string, s Streams) int {
	name, cmd, code, done := parse(args, s)
	if done {
		return code
	}
	switch c := cmd.(type) {
	case runner:
		return report(s, c.run(ctx, s))
	case opener:
		return runOpener(ctx, name, c, s)
	}
	panic("command " + name + " does nothing")
}

// newParser returns the grammar of the command line. exit is called where a
// program of its own would end, after help was printed.
func newParser(s Streams, exit func(int)) *kong.Kong {
	p, err := kong.New(new(commandLine), kong.Name("poststelle"), kong.Writers(s.Out, s.Err), kong.Exit(exit),
		kong.Description("The digital post office of public authorities."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}))
	if err != nil {
		panic(err) // the commands above contradict each other
	}
	return p
}

// parse reads a command line and returns the command's name, such as "tenant
// add", and the command. done says that everything was printed already.
func parse(args []string, s Streams) (name string, cmd any, code int, done bool) {
	switch {
	case len(args) == 0:
		args = []string{"--help"}
	case args[0] == "help":
		args = append(args[1:len(args):len(args)], "--help")
	}
	exited := -1
	k, err := newParser(s, func(c int) { exited = c }).Parse(args)
	if exited >= 0 {
		return "", nil, exited, true
	}
	if err != nil {
		fmt.Fprintf(s.Err, "poststelle: %v\nRun \"poststelle help\" or \"poststelle COMMAND --help\".\n", err)
		return "", nil, exitUsage, true
	}
	return commandName(k.Selected()), k.Selected().Target.Addr().Interface(), 0, false
}

// examples are the last lines of a command's help.
func examples(lines ...string) string {
	one := "Example:"
	if len(lines) > 1 {
		one = "Examples:"
	}
	return one + "\n\n  " + strings.Join(lines, "\n  ")
}

func commandName(n *kong.Node) string { return strings.TrimPrefix(n.FullPath(), "poststelle ") }

// received is a command as it comes from the control socket.
func received(name string, values []byte) (opener, error) {
	p := newParser(Streams{Out: io.Discard, Err: io.Discard}, func(int) {})
	for _, n := range p.Model.Leaves(false) {
		if commandName(n) != name {
			continue
		}
		cmd, ok := n.Target.Addr().Interface().(opener)
		if !ok {
			return nil, usage("%q does not work on a running server", name)
		}
		in := json.NewDecoder(bytes.NewReader(values))
		in.DisallowUnknownFields() // a newer program talks to an older server
		if err := in.Decode(cmd); err != nil {
			return nil, usage("the running server does not know this form of %q; is it another version?", name)
		}
		if v, ok := cmd.(interface{ Validate() error }); ok {
			if err := v.Validate(); err != nil {
				return nil, usage("%w", err)
			}
		}
		return cmd, nil
	}
	return nil, usage("the running server does not know %q; is it another version?", name)
}

// runOpener runs a command in the running server, or here when none runs.
func runOpener(ctx context.Context, name string, c opener, s Streams) int {
	var input []byte
	if f, ok := c.(inputFile); ok && f.inputFile() != "" {
		var err error
		if input, err = readInput(f.inputFile(), s.In); err != nil {
			return report(s, err)
		}
	}
	d := c.where()
	if code, ok, err := remote(ctx, d.Data, name, c, s, input); ok {
		if err != nil {
			return report(s, err)
		}
		return code
	}
	if err := d.check(true); err != nil {
		return report(s, err)
	}
	a, err := Open(ctx, Config{Data: d.Data, Database: d.Database, Log: quiet(s.Err)}, nil)
	if err != nil {
		return report(s, err)
	}
	code := report(s, c.open(english(ctx, a), a, Streams{In: bytes.NewReader(input), Out: s.Out, Err: s.Err}))
	if err := a.Close(); err != nil {
		return report(s, err)
	}
	return code
}

// check keeps a mistyped directory from becoming an installation, and an
// installation on PostgreSQL from getting a second, empty database. A server
// makes a missing directory, a command does not.
func (d *dataFlags) check(mustExist bool) error {
	files, err := os.ReadDir(d.Data)
	if errors.Is(err, os.ErrNotExist) && !mustExist {
		return nil
	}
	if err != nil {
		return fmt.Errorf("no installation in %s: %w", d.Data, err)
	}
	has := map[string]bool{}
	for _, f := range files {
		has[f.Name()] = true
	}
	switch {
	case len(files) > 0 && !has["lock"] && !has["vault"] && !has[demoMark]:
		return fmt.Errorf("%s holds other files and no installation; name an empty directory for a new one", d.Data)
	case has["vault"] && !has["poststelle.db"] && d.Database == "":
		return fmt.Errorf("%s has a vault and no poststelle.db: give --database if the letters are on PostgreSQL, or put the file back", d.Data)
	case has["poststelle.db"] && d.Database != "":
		return fmt.Errorf("%s belongs to this installation: leave --database out, or move the file away", filepath.Join(d.Data, "poststelle.db"))
	}
	return nil
}

func readInput(name string, in io.Reader) ([]byte, error) {
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxControlInput+1))
	if err == nil && len(raw) > maxControlInput {
		err = fmt.Errorf("%s is larger than %d bytes", name, maxControlInput)
	}
	return raw, err
}

// english makes a command speak English: the console has no other language.
func english(ctx context.Context, a *App) context.Context {
	return i18n.With(ctx, a.Catalog.Localizer("en"))
}

// report prints an error for the person at the console and returns the exit
// code.
func report(s Streams, err error) int {
	if err == nil {
		return exitGood
	}
	fmt.Fprintf(s.Err, "poststelle: %s\n", describe(err))
	if errors.Is(err, errUsage) {
		return exitUsage
	}
	return exitFailed
}

// lineError says in which line of a list the fault is.
type lineError struct {
	line int
	err  error
}

func (e *lineError) Error() string { return fmt.Sprintf("line %d: %v", e.line, e.err) }
func (e *lineError) Unwrap() error { return e.err }

// describe says what is wrong in words: faults of input with their sentences.
func describe(err error) string {
	e, ok := errors.AsType[*fault.Error](err)
	catalog, loadErr := i18n.Load()
	if !ok || len(e.Fields) == 0 && e.Key == "" || loadErr != nil {
		return err.Error()
	}
	ctx := i18n.With(context.Background(), catalog.Localizer("en"))
	var parts []string
	if e.Key != "" {
		parts = append(parts, i18n.T(ctx, e.Key, e.Args...))
	}
	for _, f := range e.Fields {
		parts = append(parts, f.Name+": "+i18n.T(ctx, f.Key, f.Args...))
	}
	text := strings.Join(parts, " ")
	if l, ok := errors.AsType[*lineError](err); ok {
		text = fmt.Sprintf("line %d: %s", l.line, text)
	}
	return text
}

// quiet is the log of a command: warnings only.
func quiet(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelWarn}))
}
