// cbor-x works without it.
throw new Error('the native accelerator is left out on purpose');
