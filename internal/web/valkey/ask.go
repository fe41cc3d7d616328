package valkey

import (
	"context"

	driver "github.com/gomodule/redigo/redis"
)

// run runs a script on a free connection. The connection does not outlive a
// context that ends before the answer.
func (s *Store) run(ctx context.Context, script *driver.Script, keysAndArgs ...any) (any, error) {
	c, err := s.pool.GetContext(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return script.DoContext(ctx, c, keysAndArgs...)
}

// ask runs a script for the session, where it is now: another request may have
// moved it. The state is "rekeyed" when what args hold was sealed for a key that
// the session had before.
func (k *session) ask(script *driver.Script, args ...any) (state, value string, err error) {
	return k.askTo("", script, args...)
}

// askTo is ask with a second key.
func (k *session) askTo(second string, script *driver.Script, args ...any) (state, value string, err error) {
	// A change that was begun is not half done because the browser went away.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(k.ctx), timeout)
	defer cancel()
	for range 10 {
		keysAndArgs := []any{k.lookup}
		if second != "" {
			keysAndArgs = append(keysAndArgs, second)
		}
		answer, err := driver.Strings(k.s.run(ctx, script, append(keysAndArgs, args...)...))
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
