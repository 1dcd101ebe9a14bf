// What htm.js is to the type checker: the package that it was taken from. Not served.
export { default } from 'htm';
