// The one door to the vendored library, so that its version stands in a single import.
export {
    html, h, render, Component, createContext, useState, useReducer, useEffect, useLayoutEffect, useRef, useMemo, useCallback, useContext,
} from './vendor/htm-preact-3.1.1.js';
