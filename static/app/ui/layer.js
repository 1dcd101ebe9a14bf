/** The back button closes what lies over a page without an address of its own. */
import { useEffect, useRef } from 'preact/hooks';
import { openLayer } from '../router.js';

/** @param {(() => void) | null} close null: the address itself says that it is open */
export function useLayer(close) {
  const latest = useRef(close);
  latest.current = close;
  useEffect(() => (close ? openLayer(() => latest.current?.()) : undefined), []);
}
