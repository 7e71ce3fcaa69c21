// Package why answers why a function has the layers it has: what each layer
// should be and which line of which file asks for it, what holds or blocks it, who
// put it there, and what else the function has.
//
//		answer := why.Ask("makoto-chat-prod", places) // round.Round.Why gathers places
//		for _, e := range answer.Environments {
//			fmt.Println(e.Region.Want.Name, e.Selected, e.Layers[0].Status)
//		}
//
//	  - why.go: the answer, and how it comes of a plan and of what the plan was made
//	    from
//	  - select.go: which selector of the repository takes a function in, or comes
//	    nearest to it
//
// It decides nothing: what is in a plan is repeated, never worked out anew. Words
// for people are reasons only; package present writes the rest.
package why
