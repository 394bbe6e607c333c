// Plays the conformance scenarios with the official Go SDK: main SCENARIOS.json [SCENARIO...].
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

type scenario struct {
	play   func(*play)
	absent string
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: play SCENARIOS.json [SCENARIO...]")
		os.Exit(2)
	}
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	var order []string
	known := map[string]string{}
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	_ = json.Unmarshal(text, &known)
	for {
		token, err := decoder.Token()
		if err != nil {
			break
		}
		if name, is := token.(string); is && known[name] != "" {
			order = append(order, name)
		}
	}
	wanted := order
	if len(os.Args) > 2 {
		wanted = os.Args[2:]
	}
	failed := false
	for _, name := range wanted {
		said := map[string]any{"scenario": name}
		s, written := scenarios[name]
		switch {
		case !written:
			said["passed"], said["detail"] = false, "this client has not heard of it"
		case s.absent != "":
			said["absent"] = s.absent
		default:
			p := newPlay()
			p.run(s.play)
			said["passed"], said["detail"] = len(p.differences) == 0, fmt.Sprintf("%d comparisons", p.compared)
			if len(p.differences) > 0 {
				said["detail"] = strings.Join(p.differences, "; ")
			}
		}
		failed = failed || said["passed"] == false
		line, _ := json.Marshal(said)
		fmt.Println(string(line))
	}
	if failed {
		os.Exit(1)
	}
}
