package config

import (
	"fmt"
	"reflect"
	"testing"
)

// fill sets every Secret below v to a place of its own, and returns how many
// there are.
func fill(v reflect.Value, n *int) {
	switch {
	case v.Type() == reflect.TypeFor[Secret]():
		*n++
		v.Set(reflect.ValueOf(Secret{Env: fmt.Sprint("S", *n)}))
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), n)
		fill(v.Index(1), n)
	}
}

// A key with a secret that somebody adds is tried by doctor, too.
func TestSecretsListsEveryOne(t *testing.T) {
	var c Config
	n := 0
	fill(reflect.ValueOf(&c).Elem(), &n)
	keys, places := map[string]bool{}, map[Secret]bool{}
	for _, s := range c.Secrets() {
		keys[s.Key], places[s.Secret] = true, true
	}
	if n < 8 || len(keys) != n || len(places) != n {
		t.Errorf("%d keys and %d places of %d secrets: %v", len(keys), len(places), n, c.Secrets())
	}
	if got := (Config{}).Secrets(); got != nil {
		t.Errorf("an empty configuration names %v", got)
	}
}
