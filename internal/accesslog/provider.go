package accesslog

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"net/netip"
	"os"
	"slices"
	"sort"
	"strings"

	"github.com/oschwald/maxminddb-golang/v2"
)

// UnknownProvider is the provider of an address that no table knows.
const UnknownProvider = "unknown"

// Table is an offline table of networks in memory: sorted starts and, beside
// each, the number of a name. It may be used by several goroutines.
type Table struct {
	v4    []uint32
	v4org []uint32
	v6    []u128
	v6org []uint32
	orgs  []string // orgs[0] is UnknownProvider
}

var _ Provider = (*Table)(nil)

type u128 struct{ hi, lo uint64 }

func (a u128) compare(b u128) int {
	return cmp.Or(cmp.Compare(a.hi, b.hi), cmp.Compare(a.lo, b.lo))
}

func (a u128) next() (u128, bool) {
	a.lo++
	if a.lo == 0 {
		a.hi++
	}
	return a, a != u128{}
}

// Lookup returns the name of the network operator, or UnknownProvider.
func (t *Table) Lookup(a netip.Addr) string {
	a = a.Unmap()
	if a.Is4() {
		k := as4(a)
		i := sort.Search(len(t.v4), func(i int) bool { return t.v4[i] > k })
		if i == 0 {
			return UnknownProvider
		}
		return t.orgs[t.v4org[i-1]]
	}
	if !a.Is6() {
		return UnknownProvider
	}
	k := as6(a)
	i := sort.Search(len(t.v6), func(i int) bool { return t.v6[i].compare(k) > 0 })
	if i == 0 {
		return UnknownProvider
	}
	return t.orgs[t.v6org[i-1]]
}

func as4(a netip.Addr) uint32 {
	b := a.As4()
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}

func as6(a netip.Addr) u128 {
	b := a.As16()
	var u u128
	for i := range 8 {
		u.hi = u.hi<<8 | uint64(b[i])
		u.lo = u.lo<<8 | uint64(b[i+8])
	}
	return u
}

type span[K any] struct {
	from, to K
	org      uint32
}

// ReadTable reads lines of the form start,end,asn,"org", with addresses in
// dotted, colon or decimal form. Ranges may overlap: an address belongs to
// the range that starts last, which of nested ranges is the innermost.
func ReadTable(readers ...io.Reader) (*Table, error) {
	t := &Table{orgs: []string{UnknownProvider}}
	index := map[string]uint32{}
	var v4 []span[uint32]
	var v6 []span[u128]
	for _, r := range readers {
		c := csv.NewReader(bufio.NewReaderSize(r, 1<<16))
		c.ReuseRecord, c.FieldsPerRecord, c.LazyQuotes = true, -1, true
		for {
			rec, err := c.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, fmt.Errorf("accesslog: provider table: %w", err)
			}
			line, _ := c.FieldPos(0)
			if len(rec) < 3 {
				return nil, fmt.Errorf("accesslog: provider table: line %d has %d fields", line, len(rec))
			}
			from, err1 := parseBound(rec[0])
			to, err2 := parseBound(rec[1])
			if err := errors.Join(err1, err2); err != nil || from.Is4() != to.Is4() || to.Less(from) {
				if line == 1 && err != nil {
					continue // a heading
				}
				return nil, fmt.Errorf("accesslog: provider table: line %d is no range", line)
			}
			name := ""
			if len(rec) > 3 {
				name = text(rec[3])
			}
			if name == "" {
				name = text("AS" + strings.TrimPrefix(rec[2], "AS"))
			}
			org, ok := index[name]
			if !ok {
				org = uint32(len(t.orgs))
				name = strings.Clone(name)
				index[name], t.orgs = org, append(t.orgs, name)
			}
			if from.Is4() {
				v4 = append(v4, span[uint32]{as4(from), as4(to), org})
			} else {
				v6 = append(v6, span[u128]{as6(from), as6(to), org})
			}
		}
	}
	t.v4, t.v4org = flatten(v4, cmp.Compare[uint32], func(a uint32) (uint32, bool) { return a + 1, a != math.MaxUint32 })
	t.v6, t.v6org = flatten(v6, u128.compare, u128.next)
	return t, nil
}

// parseBound reads an address, or a number as the "-num" tables write it.
func parseBound(s string) (netip.Addr, error) {
	s = strings.TrimSpace(s)
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Unmap().WithZone(""), nil
	}
	n, ok := new(big.Int).SetString(s, 10)
	if !ok || n.Sign() < 0 || n.BitLen() > 128 {
		return netip.Addr{}, errors.New("no address")
	}
	if n.BitLen() <= 32 {
		return netip.AddrFrom4([4]byte(n.FillBytes(make([]byte, 4)))), nil
	}
	return netip.AddrFrom16([16]byte(n.FillBytes(make([]byte, 16)))), nil
}

// flatten turns ranges into disjoint ones that cover everything from the
// first start on: name 0 stands for a gap.
func flatten[K any](in []span[K], compare func(a, b K) int, next func(K) (K, bool)) (starts []K, orgs []uint32) {
	slices.SortStableFunc(in, func(a, b span[K]) int { return cmp.Or(compare(a.from, b.from), compare(b.to, a.to)) })
	starts, orgs = make([]K, 0, len(in)+len(in)/8), make([]uint32, 0, len(in)+len(in)/8)
	emit := func(from K, org uint32) {
		if n := len(starts); n > 0 && compare(starts[n-1], from) == 0 {
			orgs[n-1] = org
			return
		} else if n > 0 && orgs[n-1] == org {
			return
		}
		starts, orgs = append(starts, from), append(orgs, org)
	}
	var stack []span[K]
	// until closes every open range that ends before limit (all, if nil).
	until := func(limit *K) {
		for len(stack) > 0 {
			top := stack[len(stack)-1]
			if limit != nil && compare(top.to, *limit) >= 0 {
				return
			}
			stack = stack[:len(stack)-1]
			after, ok := next(top.to)
			if !ok {
				return
			}
			for len(stack) > 0 && compare(stack[len(stack)-1].to, after) < 0 {
				stack = stack[:len(stack)-1] // ended inside top
			}
			org := uint32(0)
			if len(stack) > 0 {
				org = stack[len(stack)-1].org
			}
			emit(after, org)
		}
	}
	for _, s := range in {
		until(&s.from)
		emit(s.from, s.org)
		stack = append(stack, s)
	}
	until(nil)
	return slices.Clip(starts), slices.Clip(orgs)
}

// OpenProvider loads a table from files: one file in the MaxMind DB format
// (.mmdb) with the members autonomous_system_number and
// autonomous_system_organization, or any number of CSV files as ReadTable
// reads them. The caller closes what it returns.
func OpenProvider(paths ...string) (interface {
	Provider
	io.Closer
}, error) {
	if len(paths) == 1 && strings.HasSuffix(paths[0], ".mmdb") {
		db, err := maxminddb.Open(paths[0])
		if err != nil {
			return nil, fmt.Errorf("accesslog: provider table: %w", err)
		}
		return &maxmind{db}, nil
	}
	var readers []io.Reader
	for _, p := range paths {
		f, err := os.Open(p)
		if err != nil {
			return nil, fmt.Errorf("accesslog: provider table: %w", err)
		}
		defer f.Close()
		readers = append(readers, f)
	}
	t, err := ReadTable(readers...)
	if err != nil {
		return nil, err
	}
	return table{t}, nil
}

type table struct{ *Table }

func (table) Close() error { return nil }

type maxmind struct{ db *maxminddb.Reader }

func (m *maxmind) Close() error { return m.db.Close() }

// Lookup returns the name of the network operator, or UnknownProvider.
func (m *maxmind) Lookup(a netip.Addr) string {
	var rec struct {
		Number uint   `maxminddb:"autonomous_system_number"`
		Name   string `maxminddb:"autonomous_system_organization"`
	}
	if err := m.db.Lookup(a.Unmap()).Decode(&rec); err != nil {
		return UnknownProvider
	}
	if name := text(rec.Name); name != "" {
		return name
	}
	if rec.Number != 0 {
		return fmt.Sprintf("AS%d", rec.Number)
	}
	return UnknownProvider
}
