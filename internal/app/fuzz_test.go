package app_test

import (
	"bytes"
	"testing"

	"poststelle/internal/app"
	"poststelle/internal/tenant"
)

// FuzzReadTenants holds that whatever a list says, what is taken from it is
// valid as a whole, and no id and no host is taken twice.
func FuzzReadTenants(f *testing.F) {
	f.Add([]byte("id,name,ars,host\naach,Stadt Aach,083350001001,vps.aach.example\n"))
	f.Add([]byte("\ufeffname;host;ID;ARS\n\"Erlach; mit\nUmbruch\";a.example b.example;erlach;083350001003\n"))
	f.Add([]byte("id,name,ars,host\na,A,083350001001,x.example\na,A,083350001001,y.example\n"))
	f.Add([]byte("id,name,ars,host\na,A,083350001001,x.example x.example\n"))
	f.Add([]byte("id,id\n"))
	f.Add([]byte("\xff\xfe"))
	f.Add([]byte("\"id"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, raw []byte) {
		list, err := app.ReadTenants(bytes.NewReader(raw))
		if err != nil {
			return
		}
		if len(list) == 0 {
			t.Error("an empty list was taken")
		}
		if err := tenant.Check(list...); err != nil {
			t.Errorf("taken, but %v", err)
		}
		seen := map[string]bool{}
		for _, v := range list {
			for _, name := range append([]string{"id " + string(v.ID)}, v.Hosts...) {
				if seen[name] {
					t.Errorf("%s was taken twice", name)
				}
				seen[name] = true
			}
		}
	})
}

// FuzzReceived holds that no request on the control socket ends the server.
func FuzzReceived(f *testing.F) {
	f.Add("tenant list", []byte(`{}`))
	f.Add("tenant show", []byte(`{"ID":"a"}`))
	f.Add("tenant show", []byte(`{"ID":1}`))
	f.Add("banner add", []byte(`{"From":"x"}`))
	f.Add("demo", []byte(`{}`))
	f.Add("", []byte(``))
	f.Fuzz(func(t *testing.T, name string, values []byte) {
		if app.Received(name, values) && (name == "demo" || name == "serve" || name == "") {
			t.Errorf("%q was taken", name)
		}
	})
}
