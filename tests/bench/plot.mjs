export function plots() {}
