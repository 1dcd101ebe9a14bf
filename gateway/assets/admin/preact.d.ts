// What preact.js is to the type checker: the package that it was taken from. Not served.
export * from 'preact';
