package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagError says what is wrong with a flag in the words of whoever typed it.
func flagError(c *cobra.Command, err error) error {
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		is := "is not a whole number"
		switch kind := e.GetFlag().Value.Type(); {
		case kind == "bool":
			is = "is neither true nor false"
		case kind == "duration":
			is = "is not a duration such as 90s or 10m"
		case errors.Is(err, strconv.ErrRange):
			is = "is too large"
		}
		err = fmt.Errorf("--%s: %q %s", e.GetFlag().Name, e.GetValue(), is)
	}
	return usage(fmt.Errorf("%w (see %s --help)", err, c.CommandPath()))
}

// notEmpty refuses flags that were given without a value: a script whose variable
// is not set means something else than the default.
func notEmpty(c *cobra.Command, _ []string) (err error) {
	c.Flags().Visit(func(f *pflag.Flag) {
		if s := f.Value.String(); s == "" || s == "[]" {
			name, _ := pflag.UnquoteUsage(f)
			err = usage(fmt.Errorf("--%s is empty (write --%s %s, or leave the flag out)", f.Name, f.Name, name))
		}
	})
	return err
}

// none wants no arguments.
func none(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage(fmt.Errorf("%s takes nothing but flags: what is %q? (see %s --help)", c.Name(), strings.Join(args, " "), c.CommandPath()))
	}
	return nil
}

// one wants the single argument of a command, and says what it is.
func one(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != 1 || args[0] == "" {
			return usage(fmt.Errorf("name one %s (see %s --help)", what, c.CommandPath()))
		}
		return nil
	}
}

// some wants at least one argument.
func some(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usage(fmt.Errorf("name one %s or several (see %s --help)", what, c.CommandPath()))
		}
		return nil
	}
}
