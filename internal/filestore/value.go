package filestore

import (
	"encoding"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
)

// encode returns a value as encoding/json would take it, but for bytes, in lists and arrays, which are hexadecimal digits: a key and an
// address are to be seen as what they are. Structs are read field by field, so that a field which is added to the settings is stored
// without a word here.
func encode(v reflect.Value) (any, error) {
	if m, ok := v.Interface().(encoding.TextMarshaler); ok && v.Kind() != reflect.Pointer {
		b, err := m.MarshalText()
		return string(b), err
	}
	switch v.Kind() {
	case reflect.Bool, reflect.String, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return v.Interface(), nil
	case reflect.Pointer:
		if v.IsNil() {
			return nil, nil
		}
		return encode(v.Elem())
	case reflect.Struct:
		return encodeStruct(v)
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return hex.EncodeToString(v.Bytes()), nil
		}
		if v.Kind() == reflect.Slice && v.IsNil() {
			return nil, nil
		}
		list := make([]any, v.Len())
		for i := range list {
			var err error
			if list[i], err = encode(v.Index(i)); err != nil {
				return nil, err
			}
		}
		return list, nil
	}
	return nil, fmt.Errorf("%w %v", errKind, v.Type())
}

func encodeStruct(v reflect.Value) (any, error) {
	fields := map[string]any{}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.IsExported() {
			return nil, fmt.Errorf("%w %v, whose field %s is not exported", errKind, v.Type(), f.Name)
		}
		var err error
		if fields[f.Name], err = encode(v.Field(i)); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	return fields, nil
}

// decode sets v, which is zero, to what encode made of it and JSON has kept: its inverse. path says in errors what it is.
func decode(from any, v reflect.Value, path string) error {
	if from == nil && (v.Kind() == reflect.Pointer || v.Kind() == reflect.Slice) {
		return nil
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		return decode(from, v.Elem(), path)
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		text, ok := from.(string)
		if !ok {
			return fmt.Errorf("%s is not text", path)
		}
		if err := u.UnmarshalText([]byte(text)); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return nil
	}
	switch from := from.(type) {
	case bool:
		if v.Kind() == reflect.Bool {
			v.SetBool(from)
			return nil
		}
	case string:
		return decodeString(from, v, path)
	case json.Number:
		return decodeNumber(from.String(), v, path)
	case map[string]any:
		if v.Kind() == reflect.Struct {
			return decodeStruct(from, v, path)
		}
	case []any:
		return decodeList(from, v, path)
	}
	return fmt.Errorf("%s is no %v", path, v.Type())
}

func decodeString(from string, v reflect.Value, path string) error {
	bytes := (v.Kind() == reflect.Slice || v.Kind() == reflect.Array) && v.Type().Elem().Kind() == reflect.Uint8
	switch {
	case v.Kind() == reflect.String:
		v.SetString(from)
		return nil
	case !bytes:
		return fmt.Errorf("%s is no %v", path, v.Type())
	}
	b, err := hex.DecodeString(from)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", path, err)
	case v.Kind() == reflect.Slice && len(b) > 0:
		v.Set(reflect.ValueOf(b).Convert(v.Type()))
	case v.Kind() == reflect.Array && len(b) != v.Len():
		return fmt.Errorf("%s has %d bytes, not %d", path, len(b), v.Len())
	case v.Kind() == reflect.Array:
		reflect.Copy(v, reflect.ValueOf(b).Convert(reflect.SliceOf(v.Type().Elem())))
	}
	return nil
}

func decodeNumber(from string, v reflect.Value, path string) error {
	if v.CanInt() {
		n, err := strconv.ParseInt(from, 10, v.Type().Bits())
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		v.SetInt(n)
		return nil
	}
	if !v.CanUint() {
		return fmt.Errorf("%s is no %v", path, v.Type())
	}
	n, err := strconv.ParseUint(from, 10, v.Type().Bits())
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	v.SetUint(n)
	return nil
}

func decodeStruct(from map[string]any, v reflect.Value, path string) error {
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		value, ok := from[name]
		if !ok {
			continue
		}
		if err := decode(value, v.Field(i), path+"."+name); err != nil {
			return err
		}
	}
	return nil
}

func decodeList(from []any, v reflect.Value, path string) error {
	switch {
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), len(from), len(from)))
	case v.Kind() != reflect.Array || len(from) != v.Len():
		return fmt.Errorf("%s is no %v", path, v.Type())
	}
	for i := range from {
		if err := decode(from[i], v.Index(i), fmt.Sprintf("%s[%d]", path, i)); err != nil {
			return err
		}
	}
	return nil
}
