package valkey

import (
	"context"

	driver "github.com/valkey-io/valkey-go"
)

type exec = func(ctx context.Context, c driver.Client, keys, args []string) driver.ValkeyResult

// ask runs a script for the session, where it is now: another request may have
// moved it. The state is "rekeyed" when what args hold was sealed for a key that
// the session had before.
func (k *session) ask(run exec, args []string) (state, value string, err error) {
	return k.askTo("", run, args)
}

// askTo is ask with a second key.
func (k *session) askTo(second string, run exec, args []string) (state, value string, err error) {
	// A change that was begun is not half done because the browser went away.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(k.ctx), timeout)
	defer cancel()
	for range 10 {
		keys := []string{k.lookup}
		if second != "" {
			keys = append(keys, second)
		}
		answer, err := run(ctx, k.s.client, keys, args).AsStrSlice()
		if err != nil {
			return "", "", away(err)
		}
		if len(answer) != 2 || answer[0] != "moved" {
			return at(answer, 0), at(answer, 1), nil
		}
		rekeyed, ok := k.follow(answer[1])
		switch {
		case !ok:
			return "gone", "", nil
		case rekeyed && len(args) > 0:
			return "rekeyed", "", nil
		}
	}
	return "gone", "", nil
}

func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return ""
}
