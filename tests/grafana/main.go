// Reads a dashboard on stdin by the types that Grafana's own SDK generates from Grafana's schemas, and refuses what they do not know.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func main() {
	plugins.RegisterDefaultPlugins()
	bytes, err := io.ReadAll(os.Stdin)
	fail(err)
	var read dashboard.Dashboard
	fail(read.UnmarshalJSONStrict(bytes))
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
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
