// Package report writes a training as a page that stands by itself: HTML with its style and drawings inside, no script, nothing from the network. It
// shows the model card first and then all that was measured, each figure with how to read it.
package report
