// Files of what a table shows.

/** A spreadsheet would run a cell that begins like a formula: an apostrophe before it makes it text. @param {string} text */
export function csvCell(text) {
    const safe = /^[\s\u0000-\u001f]*[=+\-@]/.test(text) ? `'${text}` : text;
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/**
 * @param {string} name of the file
 * @param {{ label: string, text: (row: any) => string }[]} columns
 * @param {any[]} rows
 */
export function saveCsv(name, columns, rows) {
    const lines = [columns.map((each) => csvCell(each.label)), ...rows.map((row) => columns.map((each) => csvCell(each.text(row))))];
    save(name, new Blob(['\ufeff', lines.map((line) => line.join(',')).join('\r\n'), '\r\n'], { type: 'text/csv' }));
}

/** @param {string} name @param {Blob} blob */
export function save(name, blob) {
    const anchor = document.createElement('a');
    anchor.href = URL.createObjectURL(blob);
    anchor.download = name;
    anchor.click();
    setTimeout(() => URL.revokeObjectURL(anchor.href), 1000);
}
