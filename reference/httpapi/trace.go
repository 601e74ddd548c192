package httpapi

import (
	"context"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"rollcall.example/rollcall/reference/store"
)

// TraceStore is a store whose reads and changes are spans within those of the
// requests that ask for them. What is read or changed stands in none.
func TraceStore(s store.Store, traces trace.TracerProvider) store.Store {
	return &tracedStore{s, traces.Tracer("rollcall")}
}

type tracedStore struct {
	store.Store
	tracer trace.Tracer
}

func (s *tracedStore) span(ctx context.Context, name string, f func(context.Context) error) error {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return f(ctx) // what the service does by itself is no part of a request
	}
	ctx, span := s.tracer.Start(ctx, name)
	defer span.End()
	err := f(ctx)
	if err != nil {
		span.SetStatus(codes.Error, "") // refusals among them; what they say is not for here
	}
	return err
}

// View implements store.Store.
func (s *tracedStore) View(ctx context.Context, f func(store.Reader) error) error {
	return s.span(ctx, "store.view", func(ctx context.Context) error { return s.Store.View(ctx, f) })
}

// Update implements store.Store. The span lasts until the change is on disk, with
// the wait for those of others that share its commit.
func (s *tracedStore) Update(ctx context.Context, f func(store.Tx) error) error {
	return s.span(ctx, "store.update", func(ctx context.Context) error { return s.Store.Update(ctx, f) })
}
