// Package desired is what a Git repository asks for: it reads layerd.yaml,
// layers/*/layer.yaml and environments/*.yaml from any fs.FS into one value.
//
//	tree := desired.Load(commit.Files, desired.Options{Now: now})
//	desired.Format(os.Stderr, commit.Files, tree.Problems, desired.Look{Color: color})
//	for _, env := range tree.Environments { // valid ones, one per Region
//		for _, wish := range env.Layers {
//			fmt.Println(env.Name, env.Region, wish.Layer, wish.Version)
//		}
//	}
//	if desired.Errors(tree.Problems) {
//		fmt.Println("invalid:", tree.Invalid())
//	}
//
// A file goes through these stages, and each reports all it finds: text to nodes
// (package strictyaml, which refuses what YAML readers disagree about), nodes
// against the JSON Schema made from the file types (schema.go, forms.go),
// defaults and environment to one (merge.go), variables to values for one Region
// (expand.go), and from there to an Environment (build.go, wish.go). Values keep
// the place they were written at through all stages.
//
// Promised: Load is pure but for reading the fs.FS, does not depend on the order
// of files or keys, follows no link, ends soon on any input and never panics. A
// problem in environments/x.yaml makes x invalid, one in a layer.yaml the
// environments that use the layer, one in layerd.yaml all; the others come out
// whole. Codes are stable and positions lie inside the file.
//
// Not promised: that a version exists, that a function is selected, that a role
// may be assumed. Only AWS can show that.
//
// # Codes of problems
//
//	after_cycle             environments wait for one another
//	always_holds            (warning) a value with which something waits, or stays, for good
//	ambiguous_value         readers of YAML disagree about it, and it is handed on as JSON
//	anchor                  YAML anchors and aliases are not used; a glob that begins with * needs quotes
//	arn_region              a layer's ARN is in another Region or partition
//	bad_account             not 12 digits
//	bad_alarm               not the name of an alarm
//	bad_alias               not the name of an alias
//	bad_arn                 not the ARN of a layer, or one with a version
//	bad_artifact            neither s3://BUCKET/KEY nor a path in the repository
//	bad_date                not a date or time
//	bad_duration            not a duration such as 30m, 24h or 7d
//	bad_environment_name    a file name that is no name for an environment
//	bad_external_id         not an external id
//	bad_freeze              not a freeze that begins before it ends
//	bad_function            not the name of one function
//	bad_key                 a key that is not plain text, or not of the right form
//	bad_layer_glob          a pattern that no layer's name or ARN can match
//	bad_layer_name          not what AWS allows as a layer's name
//	bad_module              not a module of Python
//	bad_percentage          not a percentage such as 10%
//	bad_principal           not an account or an organization, or public without a reason
//	bad_qualifier           not an alias, a version or $LATEST
//	bad_region              not a Region
//	bad_retention           not of the form "20 versions"
//	bad_role                not the ARN of a role
//	bad_runtime             not a runtime
//	bad_selector            a pattern that no function or runtime can match
//	bad_sha256              not the SHA-256 of a file
//	bad_store               not sqlite:PATH, dynamodb:TABLE or memory:
//	bad_tag                 (warning) metadata that cannot be a tag
//	bad_timezone            not a time zone
//	bad_value               not plain ASCII text
//	bad_version             not a version in any form
//	bad_window              not a window, or one that never opens
//	beyond_bounds           what the bounds of an environment do not allow
//	canary_needs_alias      a canary without an alias
//	check_off               (warning) a value with which a check never says no
//	deprecated_version      (warning) a version that people should leave
//	duplicate_alarm         (warning) an alarm twice in one list
//	duplicate_key           a key twice in one mapping
//	duplicate_layer         two layer.yaml with one name
//	duplicate_region        a Region twice in one environment
//	empty_file              an environment with nothing in it
//	expired                 a pin that has ended
//	file_too_large          more than 1 MiB
//	full_width              a full-width character where its ASCII twin belongs
//	internal                a mistake in layerd
//	invalid_value           breaks a rule of the schema that has no code of its own
//	known_twice             one live number known as two versions
//	layer_owned_twice       two environments own one layer of one account and Region
//	layer_without_file      (warning) a layer that no layer.yaml describes
//	means_otherwise         (warning) a value that means something else than it seems to
//	merge_key               YAML merge keys (<<) are not used
//	missing_account         an environment without account
//	missing_arn             a layer of others without an ARN for a Region
//	missing_functions       a layer without functions
//	missing_key             a mapping without a key it needs
//	missing_region          an environment without region or regions
//	missing_version         a layer without version, or without one for a Region
//	mixed_partitions        Regions of one environment in different partitions
//	needs_auto_update       a range or latest without auto_update
//	needs_bake              a bound on metrics without a bake of a minute
//	needs_number            a layer of others with something else than a number
//	never_opens             changes could not start at any time
//	no_environment          a repository without any environment
//	no_functions            (warning) an empty list of functions
//	no_layer                a folder without layer.yaml (layerd build)
//	not_a_file              a folder where a file belongs, or the reverse
//	not_allowed             not one of the allowed values
//	not_ours                a key that does not apply to a layer of others
//	not_supported_yet       (never in Tree.Problems) a key that nothing acts on yet
//	not_utf8                not UTF-8 text
//	out_of_range            too small, too large, too many, or empty
//	pin_not_exact           a pin to something else than an exact version or number
//	read_timeout            an environment whose reading did not end in time
//	region_and_regions      region and regions at once
//	retention_too_small     (warning) versions_to_keep below 2
//	retention_without_keep  (warning) an age without versions_to_keep prunes nothing
//	role_account            a role in another account
//	several_documents       more than one YAML document in a file
//	smoke_test_unselected   a smoke test of a function that no layer selects
//	symlink                 a link; links are not followed
//	tab                     a tab in an indentation
//	too_many_files          more files or bytes than a repository may have
//	unknown_environment     the name of no environment
//	unknown_key             a key that does not exist
//	unknown_layer           the name of no layer of the environment
//	unknown_variable        a variable that does not exist, or has no value here
//	unquoted_number         text that YAML reads as a number
//	unreadable              the file or folder cannot be read
//	wave_adds_nothing       (warning) a wave that is as large as the one before
//	waves_decrease          a wave that is smaller than one before
//	window_notice           (warning) what a window means and its writer may not
//	wrong_extension         .yml, .YAML
//	wrong_type              another type of value than the key takes
//	yaml_syntax             not YAML
//	yaml_tag                YAML tags are not used
//	yaml_too_deep           nested more than 50 deep
//	yanked_version          a version that was yanked
package desired
