// The types of the vendored library: those of the packages that it is made of.
export * from 'preact';
export * from 'preact/hooks';
export function html(strings: TemplateStringsArray, ...values: any[]): import('preact').VNode;
