package awssim

import (
	"fmt"
	"math"
	"reflect"
	"time"

	"github.com/aws/smithy-go/encoding/cbor"
)

// fromCBOR fills an input of the SDK with a request of the protocol
// rpc-v2-cbor. What the input has no member for is passed over, as AWS does.
func fromCBOR(body []byte, in any) error {
	v, err := cbor.Decode(body)
	if err != nil {
		return err
	}
	return setCBOR(reflect.ValueOf(in).Elem(), v)
}

func setCBOR(dst reflect.Value, v cbor.Value) error {
	switch v.(type) {
	case *cbor.Nil, *cbor.Undefined:
		return nil
	}
	if dst.Type() == reflect.TypeFor[time.Time]() {
		t, err := cbor.AsTime(v)
		dst.Set(reflect.ValueOf(t))
		return err
	}
	switch dst.Kind() {
	case reflect.Pointer:
		p := reflect.New(dst.Type().Elem())
		dst.Set(p)
		return setCBOR(p.Elem(), v)
	case reflect.Struct:
		return setStruct(dst, v)
	case reflect.Slice:
		return setSlice(dst, v)
	}
	return setScalar(dst, v)
}

func setStruct(dst reflect.Value, v cbor.Value) error {
	m, ok := v.(cbor.Map)
	if !ok {
		return fmt.Errorf("%T is not a structure", v)
	}
	for name, member := range m {
		f := dst.FieldByName(name)
		if !f.IsValid() {
			continue
		}
		if err := setCBOR(f, member); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func setSlice(dst reflect.Value, v cbor.Value) error {
	l, ok := v.(cbor.List)
	if !ok {
		return fmt.Errorf("%T is not a list", v)
	}
	s := reflect.MakeSlice(dst.Type(), len(l), len(l))
	for i := range l {
		if err := setCBOR(s.Index(i), l[i]); err != nil {
			return err
		}
	}
	dst.Set(s)
	return nil
}

func setScalar(dst reflect.Value, v cbor.Value) error {
	switch dst.Kind() {
	case reflect.String:
		if s, ok := v.(cbor.String); ok {
			dst.SetString(string(s))
			return nil
		}
	case reflect.Bool:
		if b, ok := v.(cbor.Bool); ok {
			dst.SetBool(bool(b))
			return nil
		}
	case reflect.Int32, reflect.Int64:
		n, err := cbor.AsInt64(v)
		if err == nil && dst.OverflowInt(n) {
			err = fmt.Errorf("%d is too large", n)
		}
		dst.SetInt(n)
		return err
	case reflect.Float64:
		n, err := cbor.AsFloat64(v)
		dst.SetFloat(n)
		return err
	}
	return fmt.Errorf("%T is not a %s", v, dst.Kind())
}

// toCBOR writes an output of the SDK the way the service does: absent members
// are left out, times are seconds since 1970.
func toCBOR(out any) []byte { return cbor.Encode(valueCBOR(reflect.ValueOf(out))) }

func valueCBOR(v reflect.Value) cbor.Value {
	if t, ok := reflect.TypeAssert[time.Time](v); ok {
		return &cbor.Tag{ID: 1, Value: cbor.Float64(float64(t.UnixMilli()) / 1000)}
	}
	switch v.Kind() {
	case reflect.Pointer:
		return valueCBOR(v.Elem())
	case reflect.Struct:
		m := cbor.Map{}
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if f.IsExported() && f.Name != "ResultMetadata" && !absent(v.Field(i)) {
				m[f.Name] = valueCBOR(v.Field(i))
			}
		}
		return m
	case reflect.Slice:
		l := cbor.List{}
		for i := range v.Len() {
			l = append(l, valueCBOR(v.Index(i)))
		}
		return l
	case reflect.String:
		return cbor.String(v.String())
	case reflect.Bool:
		return cbor.Bool(v.Bool())
	case reflect.Float64:
		return cbor.Float64(v.Float())
	case reflect.Int32, reflect.Int64:
		if n := v.Int(); n < 0 {
			return cbor.NegInt(-n)
		}
		return cbor.Uint(v.Int())
	}
	return cbor.Float64(math.NaN()) // unreachable unless bug: no output has other kinds
}

// absent reports whether a member was never set. Enums have no pointer: the
// empty one is none.
func absent(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Interface:
		return v.IsNil()
	case reflect.String:
		return v.Len() == 0
	}
	return false
}
