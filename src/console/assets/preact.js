// The one door to the vendored library, so that its version stands in a single import.
export { html, render, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from './vendor/htm-preact-3.1.1.js';
