package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/OctopusDeploy/go-octopusdeploy/v2/pkg/client"
)

const space = "Spaces-1"

type doc = map[string]any

// One scenario: the SDK, the truth by plain HTTP, and every difference between the two.
type play struct {
	sdk         *client.Client
	compared    int
	differences []string
}

// Ends a scenario that cannot go on.
type stop string

func connect(key string) (*client.Client, error) {
	at, err := url.Parse(os.Getenv("OCTOPUS_URL"))
	if err != nil {
		return nil, err
	}
	return client.NewClient(nil, at, key, space)
}

func newPlay() *play { return &play{} }

func (p *play) run(scenario func(*play)) {
	defer func() {
		if why := recover(); why != nil {
			p.differences = append(p.differences, fmt.Sprint(why))
		}
	}()
	sdk, err := connect(os.Getenv("OCTOPUS_API_KEY"))
	must(err)
	p.sdk = sdk
	scenario(p)
}

func must(err error) {
	if err != nil {
		panic(stop("the SDK says " + err.Error()))
	}
}

func got[T any](value T, err error) T {
	must(err)
	return value
}

func (p *play) same(what string, said, truth any) {
	p.compared++
	if !reflect.DeepEqual(plain(said), plain(truth)) {
		p.differences = append(p.differences, fmt.Sprintf("%s: the SDK says %s, the truth is %s", what, text(said), text(truth)))
	}
}

func (p *play) refused(what string, err error, words ...string) {
	p.compared++
	if err == nil {
		p.differences = append(p.differences, what+": the SDK reports no error")
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			p.differences = append(p.differences, fmt.Sprintf("%s: %q should say %q", what, err.Error(), word))
		}
	}
}

// Every field the SDK knows of a document must be in what the server sends, with the value that the SDK parsed.
// Those in `unsent` no server sends.
func (p *play) document(what string, parsed any, truth doc, unsent ...string) {
	p.fields(what, reflect.ValueOf(parsed), truth, append(unsent, "LastModifiedBy", "LastModifiedOn"))
}

func (p *play) fields(what string, v reflect.Value, truth doc, unsent []string) {
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	for i := range v.NumField() {
		field, name := v.Type().Field(i), strings.Split(v.Type().Field(i).Tag.Get("json"), ",")[0]
		if field.Anonymous && name == "" {
			p.fields(what, v.Field(i), truth, unsent)
			continue
		}
		if name == "" || name == "-" || !field.IsExported() || slices.Contains(unsent, name) {
			continue
		}
		value, sent := truth[name]
		if !sent {
			p.compared++
			p.differences = append(p.differences, fmt.Sprintf("%s: the SDK reads %s, the server does not send it", what, name))
			continue
		}
		if name == "Links" {
			continue // a link is compared by what comes when it is followed
		}
		p.same(what+"."+name, known(plain(v.Field(i).Interface()), plain(value)), value)
	}
}

// What the SDK does not know of a part is not compared.
func known(said, truth any) any {
	switch said := said.(type) {
	case doc:
		if truth, is := truth.(doc); is {
			for name, value := range truth {
				if _, has := said[name]; !has {
					said[name] = value
				} else {
					said[name] = known(said[name], value)
				}
			}
		}
	case []any:
		if truth, is := truth.([]any); is && len(truth) == len(said) {
			for i := range said {
				said[i] = known(said[i], truth[i])
			}
		}
	}
	return said
}

// A value as JSON has it, with moments in one form and nothing in one form.
func plain(value any) any {
	raw, err := json.Marshal(value)
	must(err)
	var out any
	must(json.Unmarshal(raw, &out))
	return settle(out)
}

func settle(value any) any {
	switch value := value.(type) {
	case string:
		if at, err := time.Parse(time.RFC3339Nano, value); err == nil {
			return at.UTC().Format(time.RFC3339Nano)
		}
		if value == "" {
			return nil
		}
	case []any:
		if len(value) == 0 {
			return nil
		}
		for i := range value {
			value[i] = settle(value[i])
		}
	case doc:
		for name := range value {
			value[name] = settle(value[name])
			if value[name] == nil || name == "Links" {
				delete(value, name)
			}
		}
		if len(value) == 0 {
			return nil
		}
	}
	return value
}

func text(value any) string {
	raw, _ := json.Marshal(plain(value))
	return string(raw)
}

func fetch(method, path string, body any) []byte {
	var sent io.Reader
	if body != nil {
		raw, _ := json.Marshal(body)
		sent = bytes.NewReader(raw)
	}
	request, err := http.NewRequest(method, strings.TrimRight(os.Getenv("OCTOPUS_URL"), "/")+path, sent)
	must(err)
	request.Header.Set("X-Octopus-ApiKey", os.Getenv("OCTOPUS_API_KEY"))
	answer, err := http.DefaultClient.Do(request)
	must(err)
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	must(err)
	if answer.StatusCode >= 300 {
		panic(stop(fmt.Sprintf("%s %s was answered %d", method, path, answer.StatusCode)))
	}
	return raw
}

func truth(path string) doc {
	var out doc
	must(json.Unmarshal(fetch("GET", path, nil), &out))
	return out
}

func all(path string) []doc {
	var out []doc
	must(json.Unmarshal(fetch("GET", path, nil), &out))
	return out
}

func named(noun, name string) doc {
	for _, d := range all("/api/" + space + "/" + noun + "/all") {
		if d["Name"] == name {
			return d
		}
	}
	panic(stop("the world has no " + noun + " " + name))
}

func id(d doc) string { return d["Id"].(string) }

func list(value any) []doc {
	var out []doc
	for _, item := range value.([]any) {
		out = append(out, item.(doc))
	}
	return out
}

// What really happened with a task.
func happened(task string) doc {
	state := truth("/sandbox/state")
	for _, kind := range []string{"deployments", "runbook_runs"} {
		for _, d := range list(state[kind]) {
			if d["task"] == task {
				return d
			}
		}
	}
	panic(stop("the world knows no task " + task))
}

// Waits until it is so with a task.
func until(task string, is func(doc) bool) doc {
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if d := happened(task); is(d) {
			return d
		}
	}
	panic(stop("it never comes to that with task " + task + ": " + text(happened(task))))
}

func ended(task string) doc { return until(task, func(d doc) bool { return d["completed"] != nil }) }
