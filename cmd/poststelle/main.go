// Command poststelle is the digital post office of public authorities. Run
// "poststelle help" for its commands.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"poststelle/internal/app"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := app.Run(ctx, os.Args[1:], app.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	stop()
	os.Exit(code)
}
