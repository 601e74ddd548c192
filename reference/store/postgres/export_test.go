package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Made makes a register as a program made it that knew so many migrations.
func Made(ctx context.Context, c *pgx.Conn, version int) error {
	all := migrations
	migrations = all[:version]
	defer func() { migrations = all }()
	return migrate(ctx, c)
}
