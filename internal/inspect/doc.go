// Package inspect judges whether a set-up is right: what the checks of layerd
// doctor found becomes a verdict, a reason, and what to do about it.
//
//	r := inspect.Permission("lambda:ListAliases", "arn:aws:lambda:…:function:f", err)
//	r.Verdict   // ok, failed, unknown or not_needed
//	r.Reason    // "denied: User … is not authorized to perform …"
//	r.Fix       // "allow lambda:ListAliases on arn:aws:lambda:…:function:f"
//	inspect.Healthy(results)
//
//	e := inspect.Function(inspect.Subject{…})
//	e.Findings  // code, severity, evidence, and the command or the line that helps
//	e.Right     // what is as it should be
//
// It makes no call: whoever asks AWS, Git and the store hands over what they
// answered. So each sentence is tested without any of them.
//
// # What is promised
//
// Unknown is not healthy: a check that could not be made is Unknown, and
// Healthy is false. Only what is not needed does not count.
//
// A denial names the one action that is missing and on what. AWS checks the
// right before anything else, so that every other refusal proves that the right
// is there; the refusal is then a finding of its own.
//
// A finding's code is stable. Its evidence shows values of variables that are meant to
// name a layer's version, where they look like one, and of no other variable.
//
// # Codes of findings
//
//	alias_differs              an alias serves other layers than $LATEST has
//	alias_missing              the environment serves functions through an alias that this one does not have
//	alias_unseen               what the function's aliases serve is not known
//	archive_unread             what is in a layer version is not known
//	bad_elf                    a compiled file that cannot be read
//	bad_name                   a path in the archive that not every program unpacks alike
//	checklist                  an item of the team's checklist that is not met
//	code_unread                what is in the function's own package is not known
//	edge_function              a replica of Lambda@Edge, which nobody can update
//	empty_layer                an archive with nothing in it
//	file_twice                 a path twice in one archive
//	foreign_binary             a compiled file for another operating system
//	glibc                      a compiled file needs a newer C library than the runtime has
//	hidden_module              a module of one layer hides the same module of another
//	image_function             a container image, for which layers do not exist
//	import_missing             layer.yaml names a module that the archive does not have
//	incompatible_architecture  the layer version is published for another architecture
//	incompatible_runtime       the layer version is published for other runtimes
//	large                      an archive that has to be published by way of S3
//	layer_deprecated           Git advises against the attached version
//	layer_yanked               Git has withdrawn the attached version
//	link_outside               a link that leads out of the archive
//	musl                       a compiled file needs musl, which no runtime has
//	no_layers                  the function has no layers
//	not_attached               Git asks for a layer that the function does not have
//	not_examined               a compiled file that is too large to look into
//	not_selected               no layer of the environment selects the function
//	not_wanted                 a layer of this environment that Git does not ask for here
//	one_architecture           a compiled file in a layer for several architectures
//	other_layer                the archive says that it is another layer's, or another version's
//	other_region               a layer version of another Region
//	package_twice              one package in two versions, in one archive or in two layers
//	python_version             a compiled module for another Python
//	requirement_conflict       a package needs another version of a package that is there
//	runtime_deprecated         AWS no longer cares for the runtime
//	runtime_frozen             AWS no longer takes updates of functions with this runtime
//	runtime_unknown            a runtime that nothing is known of
//	shadowed_by_code           the function's own package hides a module of a layer
//	shadowed_file              a file of one layer hides another one's
//	shadows_runtime            a package that the runtime has itself
//	shadows_stdlib             a module that hides one of Python's own
//	signing_unknown            whether the function takes signed layers only is not known
//	size_unknown               how much the function and its layers take is not known
//	special_file               a member of the archive that is no file
//	state_bad                  AWS has the function, or its last update, as failed
//	state_changing             an update is in progress, or the function sleeps
//	too_large                  more than a function may have with all its layers
//	too_many_files             an archive with more files than are looked at
//	too_many_layers            more layers than a function may have
//	trail_unread               who else has changed the function is not known
//	unpacked_at_limit          little is left of what a function may have with all its layers
//	unreadable                 a member of the archive that cannot be read
//	unresolved                 what Git asks for is not to be had
//	unsigned_layer             a layer version that the function's code signing does not trust
//	variable_lies              a variable names another layer version than is attached
//	variable_unread            a variable names a version that cannot be compared
//	version_gone               a layer version that does not exist any more, or is not shared
//	version_unseen             whether a layer version exists is not known
//	written_by_cloudformation  a stack of CloudFormation writes to the function
//	written_by_other           somebody else has changed the function
//	written_by_serverless      the Serverless Framework writes to the function
//	written_by_terraform       Terraform writes to the function
//	written_by_vendor          a vendor's tool puts layers on the function
//	wrong_architecture         a compiled file for another architecture
//	wrong_folder               nothing in the layer is where the runtime looks
//	wrong_version              another version than Git asks for
package inspect
