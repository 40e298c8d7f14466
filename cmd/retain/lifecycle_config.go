package main

import (
	"fmt"
	"slices"
	"strings"

	"retain/features/lifecycle"
)

// LifecycleConfig names the rules of the customers' stages.
type LifecycleConfig struct {
	Preset string  `yaml:"preset"` // classic, journey, crm, touchpoint or full
	Rules  *string `yaml:"rules"`  // a file of your own in the place of the preset; null: none

	LeadPoints *string `yaml:"lead_points"` // a file with the points of leads; null: the shipped ones
}

// lifecycleRules reads the configured rule set over the configured features.
func (c *Config) lifecycleRules() (*lifecycle.Rules, error) {
	if c.Lifecycle.Rules != nil {
		return c.lifecycleFile(*c.Lifecycle.Rules)
	}
	return c.lifecyclePreset(c.Lifecycle.Preset)
}

// lifecyclePreset is a preset over the configured features.
func (c *Config) lifecyclePreset(name string) (*lifecycle.Rules, error) {
	if problem := presetProblem(name); problem != "" {
		return nil, usagef("%s", problem)
	}
	known, err := c.catalogue()
	if err != nil {
		return nil, err
	}
	return lifecycle.Load(name, known)
}

// lifecycleFile is the rule set of a file over the configured features. Errors: every problem at once.
func (c *Config) lifecycleFile(path string) (*lifecycle.Rules, error) {
	known, err := c.catalogue()
	if err != nil {
		return nil, err
	}
	text, err := readRules(path)
	if err != nil {
		return nil, usagef("lifecycle rules: %v", err)
	}
	rules, err := lifecycle.Parse(text, known)
	if err != nil {
		return nil, unfit(path, err)
	}
	return rules, nil
}

// presetProblem says what is wrong with the name of a preset, "" for nothing.
func presetProblem(name string) string {
	if slices.Contains(lifecycle.Presets, name) {
		return ""
	}
	return fmt.Sprintf("%q is none of %s", name, strings.Join(lifecycle.Presets, ", "))
}
