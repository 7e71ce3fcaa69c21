package inspect

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/layerd/layerd/internal/state"
)

// Fight is another tool that writes the layers of functions which layerd is to manage, or
// publishes and deletes versions of a layer that it is to own.
type Fight struct {
	Tool      string   `json:"tool"`      // terraform or cloudformation
	Where     string   `json:"where"`     // the resource's address, FILE:LINE, or the stack
	Functions []string `json:"functions"` // REGION/NAME, sorted; empty = a layer is meant, or the name is made at deploy time
	Message   string   `json:"message"`
	Peace     string   `json:"peace"` // the lines that make it, and where they go
}

// Territory is what layerd is to manage, as far as others may claim it.
type Territory struct {
	Regions []state.Snapshot
	Manages func(region, function string) bool
}

// functions returns those that are managed and for which match holds, as REGION/NAME, and
// the layers of the first of them.
func (t Territory) functions(match func(region string, f state.Function) bool) (names []string, layers state.Layers) {
	for _, s := range t.Regions {
		for _, f := range s.Functions {
			if t.Manages(s.Region, f.Name) && match(s.Region, f) {
				if names = append(names, s.Region+"/"+f.Name); len(names) == 1 {
					layers = f.Layers
				}
			}
		}
	}
	return names, layers
}

// owns reports whether functions of the account have the layer: of what nobody has,
// nothing is imported.
func (t Territory) owns(layer string) bool {
	return slices.ContainsFunc(t.Regions, func(s state.Snapshot) bool {
		return slices.ContainsFunc(OwnLayers(s), func(l state.LayerARN) bool { return string(l) == layer })
	})
}

// terraformResource is one instance of a resource.
type terraformResource struct {
	address, kind string
	values        terraformValues
}

type terraformValues struct {
	ARN          string `json:"arn"`
	FunctionName string `json:"function_name"`
	LayerARN     string `json:"layer_arn"`
	SkipDestroy  bool   `json:"skip_destroy"`
}

// terraformState is a state file of version 4, or what terraform show -json writes.
type terraformState struct {
	Version   int `json:"version"`
	Resources []struct {
		Module, Mode, Type, Name string
		Instances                []struct {
			IndexKey   json.RawMessage `json:"index_key"`
			Attributes terraformValues `json:"attributes"`
		}
	} `json:"resources"`
	FormatVersion string `json:"format_version"`
	Values        struct {
		Root terraformModule `json:"root_module"`
	} `json:"values"`
}

type terraformModule struct {
	Resources []struct {
		Address, Mode, Type string
		Values              terraformValues
	} `json:"resources"`
	Children []terraformModule `json:"child_modules"`
}

// resources returns the managed ones of the kinds that concern layers.
func (s terraformState) resources() (list []terraformResource) {
	for _, r := range s.Resources {
		for _, in := range r.Instances {
			address := strings.TrimPrefix(r.Module+"."+r.Type+"."+r.Name, ".")
			if len(in.IndexKey) > 0 && string(in.IndexKey) != "null" {
				address += "[" + string(in.IndexKey) + "]"
			}
			if r.Mode == "managed" {
				list = append(list, terraformResource{address, r.Type, in.Attributes})
			}
		}
	}
	return append(list, s.Values.Root.resources()...)
}

func (m terraformModule) resources() (list []terraformResource) {
	for _, r := range m.Resources {
		if r.Mode == "managed" {
			list = append(list, terraformResource{r.Address, r.Type, r.Values})
		}
	}
	for _, c := range m.Children {
		list = append(list, c.resources()...)
	}
	return list
}

// TerraformFights finds the functions and layers that a Terraform state manages. What a
// state cannot tell is said: whether the configuration already ignores changes of layers.
func TerraformFights(data []byte, t Territory) ([]Fight, error) {
	var s terraformState
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("it is not JSON as Terraform writes it: %w", err)
	}
	if s.Version != 4 && s.FormatVersion == "" {
		return nil, errors.New("it is neither a state file of version 4 nor what terraform show -json writes")
	}
	var fights []Fight
	for _, r := range s.resources() {
		switch r.kind {
		case "aws_lambda_function":
			names, layers := t.functions(func(region string, f state.Function) bool {
				return f.ARN == r.values.ARN || r.values.ARN == "" && f.Name == r.values.FunctionName
			})
			if len(names) > 0 {
				fights = append(fights, terraformFunction(r.address, names, layers))
			}
		case "aws_lambda_layer_version":
			if t.owns(r.values.LayerARN) && !r.values.SkipDestroy {
				fights = append(fights, Fight{Tool: "terraform", Where: r.address, Functions: []string{}, Peace: "skip_destroy = true",
					Message: "Terraform publishes " + state.LayerARN(r.values.LayerARN).Name() + ", and deletes a version when it replaces it, whoever has it"})
			}
		}
	}
	return fights, nil
}

func terraformFunction(address string, names []string, layers state.Layers) Fight {
	f := Fight{Tool: "terraform", Where: address, Functions: names, Peace: "lifecycle { ignore_changes = [layers] }",
		Message: "each apply puts back the layers of its configuration, also where that names none; the state does not say whether its lifecycle ignores them already"}
	if strings.HasPrefix(address, "module.") {
		f.Message += ". A module has to have that line itself: where it is somebody else's, let it say what is live"
		f.Peace += "\nor, as an input of the module: layers = [" + quoted(layers) + "]"
	}
	return f
}

func quoted(layers state.Layers) string {
	var list []string
	for _, l := range layers {
		list = append(list, `"`+string(l)+`"`)
	}
	return strings.Join(list, ", ")
}
