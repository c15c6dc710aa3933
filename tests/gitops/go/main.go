// Command gitops holds the health rules of GitOps tools to the project's table of states: kstatus (Flux, helm --wait) by Flux's own
// library, Argo CD's script in the Lua that Argo CD runs, with the libraries that it loads. It also builds the kustomizations of the
// examples. Each object says in its first line what is to come out.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// So few objects would mean that the folder is not the one.
const fewest = 60

var expectation = regexp.MustCompile(`^# expect: kstatus (\w+), argocd (\w+)\n`)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: gitops OBJECTS-FOLDER HEALTH.LUA [KUSTOMIZATION-FOLDER...]")
		os.Exit(2)
	}
	wrong := health(os.Args[1], os.Args[2])
	for _, folder := range os.Args[3:] {
		wrong += kustomization(folder)
	}
	if wrong > 0 {
		fmt.Fprintf(os.Stderr, "%d are wrong\n", wrong)
		os.Exit(1)
	}
}

func health(folder, scriptPath string) (wrong int) {
	script, err := os.ReadFile(scriptPath)
	check(err)
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	check(err)
	if len(files) < fewest {
		fmt.Fprintf(os.Stderr, "%s holds %d objects only\n", folder, len(files))
		return 1
	}
	seen := map[string]int{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		check(err)
		name := filepath.Base(file)
		expected := expectation.FindStringSubmatch(string(text))
		if expected == nil {
			fmt.Fprintf(os.Stderr, "%s does not say what is expected\n", name)
			wrong++
			continue
		}
		data, err := yaml.YAMLToJSON(text)
		check(err)
		object := &unstructured.Unstructured{}
		check(object.UnmarshalJSON(data))

		result, err := status.Compute(object)
		check(err)
		health, message := argo(string(script), object.Object)
		seen["kstatus "+result.Status.String()]++
		seen["argocd "+health]++
		if result.Status.String() != expected[1] || health != expected[2] {
			fmt.Fprintf(os.Stderr, "%s: kstatus %s (%s), argocd %s (%s); expected %s and %s\n",
				name, result.Status, result.Message, health, message, expected[1], expected[2])
			wrong++
		}
		if message == "" {
			fmt.Fprintf(os.Stderr, "%s: the script gives no message\n", name)
			wrong++
		}
	}
	fmt.Printf("%d objects; %v\n", len(files), seen)
	return wrong
}

// argo runs the script as Argo CD does: the base and table libraries, nothing else, and the object as the global obj.
func argo(script string, object map[string]any) (health, message string) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for _, library := range []struct {
		name string
		open lua.LGFunction
	}{{lua.LoadLibName, lua.OpenPackage}, {lua.BaseLibName, lua.OpenBase}, {lua.TabLibName, lua.OpenTable}} {
		check(state.CallByParam(lua.P{Fn: state.NewFunction(library.open), Protect: true}, lua.LString(library.name)))
	}
	state.SetGlobal("obj", value(state, object))
	check(state.DoString(script))
	table, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return "", "the script returns no table"
	}
	return lua.LVAsString(table.RawGetString("status")), lua.LVAsString(table.RawGetString("message"))
}

func value(state *lua.LState, from any) lua.LValue {
	switch from := from.(type) {
	case map[string]any:
		table := state.NewTable()
		for key, field := range from {
			table.RawSetString(key, value(state, field))
		}
		return table
	case []any:
		table := state.NewTable()
		for _, item := range from {
			table.Append(value(state, item))
		}
		return table
	case string:
		return lua.LString(from)
	case bool:
		return lua.LBool(from)
	case int64:
		return lua.LNumber(from)
	case float64:
		return lua.LNumber(from)
	default:
		return lua.LNil
	}
}

// kustomization builds a folder as `kubectl kustomize` does. What comes out must be objects of ours or of the tool's.
func kustomization(folder string) int {
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", folder, err)
		return 1
	}
	var kinds []string
	for _, resource := range built.Resources() {
		kinds = append(kinds, resource.GetKind()+" "+resource.GetName())
	}
	fmt.Printf("%s: %s\n", folder, strings.Join(kinds, ", "))
	if len(kinds) == 0 {
		fmt.Fprintf(os.Stderr, "%s makes nothing\n", folder)
		return 1
	}
	return 0
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
