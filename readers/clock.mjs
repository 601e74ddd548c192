// The responses lie in simulated time, and some libraries ask the clock.

// standStill has every clock say a moment, in milliseconds since 1970. What asks it has
// to be imported afterwards.
export function standStill(at) {
  const RealDate = Date;
  globalThis.Date = class extends RealDate {
    constructor(...args) {
      if (args.length === 0) super(at);
      else super(...args);
    }
    static now() {
      return at;
    }
  };
}
