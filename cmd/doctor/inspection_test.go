package doctor

import (
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"testing"

	"p11bridge/token"
	"p11bridge/token/host"
)

// TestNothingIsLostOnTheWay fills every field of what doctor and its children hand over to each other.
func TestNothingIsLostOnTheWay(t *testing.T) {
	order, err := os.Create(filepath.Join(t.TempDir(), "order"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { order.Close() })
	var ordered token.Library
	fill(t, reflect.ValueOf(&ordered).Elem(), "\xffé")
	if err := writeOrder(order, ordered); err != nil {
		t.Fatal(err)
	}
	if got, err := readOrder(order); err != nil || got != ordered {
		t.Errorf("%+v becomes %+v, %v", ordered, got, err)
	}
	answer, err := os.Create(filepath.Join(t.TempDir(), "answer"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Close() })
	var known host.Inspection
	fill(t, reflect.ValueOf(&known).Elem(), "é\x01")
	if err := writeInspection(answer, &host.Inspection{}); err != nil {
		t.Fatal(err)
	}
	if err := writeInspection(answer, &known); err != nil {
		t.Fatal(err)
	}
	if _, err := answer.WriteString(`{"PCSC":`); err != nil { // the child ended in the middle of the next one
		t.Fatal(err)
	}
	if got := lastInspection(answer); !reflect.DeepEqual(got, &known) {
		t.Errorf("%+v becomes %+v", known, got)
	}
}

// fill gives every field a value, and texts one of their own each.
func fill(t *testing.T, v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(-7)
	case reflect.Uint, reflect.Uint64:
		v.SetUint(1<<63 + 7)
	case reflect.String:
		v.SetString(text)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), text)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(t, v.Index(i), text+strconv.Itoa(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), text+strconv.Itoa(i))
		}
	default:
		t.Fatalf("%s is not handed over yet", v.Type())
	}
}
