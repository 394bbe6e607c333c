//go:build pin

// Package pin names the command that go.mod and go.sum pin, so that `go mod tidy` keeps what it needs.
package pin

import _ "github.com/OctopusDeploy/cli/cmd/octopus"
