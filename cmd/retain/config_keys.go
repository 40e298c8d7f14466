package main

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// keyTree is the keys that a mapping may have; a nil subtree takes anything.
type keyTree map[string]keyTree

// keysOf lists the yaml keys of the struct that v points to.
func keysOf(v any) keyTree { return structKeys(reflect.TypeOf(v).Elem()) }

func structKeys(t reflect.Type) keyTree {
	tree := keyTree{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if !f.IsExported() || name == "-" {
			continue
		}
		if name == "" {
			name = strings.ToLower(f.Name)
		}
		ft := f.Type
		for ft.Kind() == reflect.Pointer {
			ft = ft.Elem()
		}
		switch {
		case ft.Kind() == reflect.Struct && ft != reflect.TypeFor[time.Time]():
			tree[name] = structKeys(ft)
		case ft.Kind() == reflect.Map && ft.Elem().Kind() == reflect.Struct:
			tree[name] = keyTree{anyKey: structKeys(ft.Elem())}
		default:
			tree[name] = nil
		}
	}
	return tree
}

// anyKey stands for the keys of a map, which are the user's own.
const anyKey = "*"

// checkKeys collects the unknown keys below node, each with its line.
func checkKeys(node *yaml.Node, known keyTree, prefix string, problems *[]string) {
	if node.Kind != yaml.MappingNode || known == nil {
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if seen[key.Value] {
			*problems = append(*problems, fmt.Sprintf("line %d: key %s%s is there twice", key.Line, prefix, key.Value))
		}
		seen[key.Value] = true
		sub, ok := known[key.Value]
		if !ok {
			sub, ok = known[anyKey]
		}
		if !ok {
			*problems = append(*problems, fmt.Sprintf("line %d: unknown key %s%s; known here: %s", key.Line, prefix, key.Value, strings.Join(sortedKeys(known), ", ")))
			continue
		}
		checkKeys(value, sub, prefix+key.Value+".", problems)
	}
}

// checkTypes collects the keys whose values do not fit, fractions where whole numbers are wanted included, which the decoder would cut off without a word.
func checkTypes(node *yaml.Node, t reflect.Type, path string, problems *[]string) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	mapping := t.Kind() == reflect.Map || t.Kind() == reflect.Struct && t != reflect.TypeFor[time.Time]()
	if !mapping || node.Kind != yaml.MappingNode {
		var wrong *yaml.TypeError
		err := node.Decode(reflect.New(t).Interface())
		instant, whole := t == reflect.TypeFor[time.Time](), t.Kind() == reflect.Int || t.Kind() == reflect.Int64
		if errors.As(err, &wrong) || instant && err != nil || whole && node.Tag == "!!float" {
			value := node.Value
			if node.Kind != yaml.ScalarNode {
				value = "what stands there"
			}
			*problems = append(*problems, fmt.Sprintf("line %d: %s: %s is not %s", node.Line, path, value, wanted(t)))
			if instant { // the decoder would stop at it, and the rest of the document be unread
				*node = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null", Line: node.Line}
			}
		}
		return
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i].Value
		below := strings.TrimPrefix(path+"."+key, ".")
		if t.Kind() == reflect.Map {
			checkTypes(node.Content[i+1], t.Elem(), below, problems)
		} else if _, ok := structKeys(t)[key]; ok { // checkKeys tells the others
			checkTypes(node.Content[i+1], fieldType(t, key), below, problems)
		}
	}
}

func sortedKeys(t keyTree) []string {
	names := make([]string, 0, len(t))
	for name := range t {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// environment turns os.Environ's form into a map of the RETAIN_ variables.
func environment(environ []string) map[string]string {
	env := map[string]string{}
	for _, pair := range environ {
		if name, value, ok := strings.Cut(pair, "="); ok && strings.HasPrefix(name, "RETAIN_") {
			env[name] = value
		}
	}
	return env
}

// overlay writes the environment's overrides RETAIN_SECTION_KEY (RETAIN_KEY for a key at the top) into the document, so that
// they are decoded and checked as if they stood in the file. Variables that name no key are left alone: others use the prefix.
func overlay(doc *yaml.Node, env map[string]string) error {
	return overlayStruct(func() *yaml.Node { return doc }, reflect.TypeFor[Config](), env, "RETAIN")
}

// overlayStruct writes the overrides of the keys of a struct, and then those of the structs below them, into the mapping that at makes where there is need.
func overlayStruct(at func() *yaml.Node, of reflect.Type, env map[string]string, prefix string) error {
	for _, key := range sortedKeys(structKeys(of)) {
		name, kind := prefix+"_"+strings.ToUpper(key), fieldType(of, key)
		if text, ok := env[name]; ok {
			node, err := override(text, kind, name)
			if err != nil {
				return err
			}
			setNode(at(), key, node)
		}
		if kind.Kind() == reflect.Pointer {
			kind = kind.Elem()
		}
		if kind.Kind() != reflect.Struct || kind == reflect.TypeFor[time.Time]() {
			continue
		}
		if err := overlayStruct(func() *yaml.Node { return child(at(), key) }, kind, env, name); err != nil {
			return err
		}
	}
	return nil
}

// fieldType is the type of the field of struct t that the yaml key names.
func fieldType(t reflect.Type, key string) reflect.Type {
	for i := range t.NumField() {
		f := t.Field(i)
		if name, _, _ := strings.Cut(f.Tag.Get("yaml"), ","); name == key || name == "" && strings.ToLower(f.Name) == key {
			return f.Type
		}
	}
	panic("no field for key " + key) // keys come from the same struct
}

// override is what the variable of the name says for a key of type t: a text as it stands, anything else as YAML.
func override(text string, t reflect.Type, name string) (*yaml.Node, error) {
	plain := t
	if plain.Kind() == reflect.Pointer {
		plain = plain.Elem()
	}
	node := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
	switch {
	case plain.Kind() == reflect.String && (t == plain || text != "null" && text != ""):
		node = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
	default:
		var value yaml.Node
		if err := yaml.Unmarshal([]byte(text), &value); err != nil {
			return nil, usagef("%s: %q is not YAML: %s", name, text, strings.TrimPrefix(err.Error(), "yaml: "))
		}
		if len(value.Content) > 0 {
			node = value.Content[0]
		}
		var cut []string
		checkTypes(node, t, "", &cut)
		if err := node.Decode(reflect.New(t).Interface()); err != nil || len(cut) > 0 {
			return nil, usagef("%s: %q does not fit: the key wants %s", name, text, wanted(plain))
		}
	}
	return node, nil
}

// wanted names a type in words.
func wanted(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "a duration such as 10m"
	case t == reflect.TypeFor[time.Time]():
		return "an instant such as 2026-03-01"
	case t.Kind() == reflect.String:
		return "a text"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Int:
		return "a whole number"
	case t.Kind() == reflect.Float64:
		return "a number"
	case t.Kind() == reflect.Slice:
		return "a list such as [a, b]"
	default:
		return "a mapping such as {key: value}"
	}
}

// child returns the mapping under key, made if it is absent or null.
func child(doc *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(doc.Content); i += 2 {
		if doc.Content[i].Value == key {
			if doc.Content[i+1].Kind != yaml.MappingNode {
				doc.Content[i+1] = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
			}
			return doc.Content[i+1]
		}
	}
	sub := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	doc.Content = append(doc.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, sub)
	return sub
}

// setNode sets key of the mapping.
func setNode(mapping *yaml.Node, key string, node *yaml.Node) {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			mapping.Content[i+1] = node
			return
		}
	}
	mapping.Content = append(mapping.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, node)
}
