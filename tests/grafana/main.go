// Reads a dashboard on stdin by the types that Grafana's own SDK generates from Grafana's schemas, and refuses what they do not know.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func main() {
	plugins.RegisterDefaultPlugins()
	bytes, err := io.ReadAll(os.Stdin)
	fail(err)
	var strict dashboard.Dashboard
	fail(strict.UnmarshalJSONStrict(bytes))
	// The strict reader names what is wrong and keeps neither panels nor queries; the other keeps them.
	var read dashboard.Dashboard
	fail(json.Unmarshal(bytes, &read))
	fail(read.Validate())
	panels := 0
	for _, panel := range read.Panels {
		if panel.Panel != nil {
			panels++
			for _, target := range panel.Panel.Targets {
				fmt.Println(target.DataqueryType())
			}
		}
	}
	fmt.Println("panels", panels)
}

func fail(err error) {
	// The SDK returns its list of errors also when nothing is in it.
	if errs, isList := err.(cog.BuildErrors); isList && len(errs) == 0 {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
