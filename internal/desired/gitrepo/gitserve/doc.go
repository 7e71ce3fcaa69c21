// Package gitserve is a small Git server that lives in this process: its
// repositories are in memory, and it needs no git binary and no disk. The demo
// is built on it, and tests are.
//
//	server := gitserve.New()
//	repo := server.Add("layers")
//	repo.Commit(gitserve.Change{Subject: "first", Files: map[string]string{"layerd.yaml": "…"}})
//	http.ListenAndServe("127.0.0.1:8081", server)   // git clone http://127.0.0.1:8081/layers
//
// It speaks the smart HTTP protocol in version 0, with which every git client
// can clone, fetch and push. A push must fit to what the branch is now, as
// anywhere, unless it is forced.
//
// It is not made for the open network: there is no shallow clone, no protocol
// 2, no hook, and Allow is the only gate. A request may be 64 MiB at most.
package gitserve
