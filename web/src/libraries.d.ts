// The parts of libraries without types that the application uses.

declare module 'dygraphs' {
  interface Dygraph {
    updateOptions(options: object, blockRedraw?: boolean): void;
    destroy(): void;
    resize(width?: number, height?: number): void;
    xAxisRange(): [number, number];
    isZoomed(axis?: string): boolean;
    resetZoom(): void;
    setSelection(row: number | false, series?: string, locked?: boolean): void;
    clearSelection(): void;
    toDomYCoord(value: number, axis?: number): number | null;
    toDomXCoord(value: number): number | null;
    getArea(): { x: number; y: number; w: number; h: number };
  }
  const Dygraph: {
    new (element: HTMLElement, data: number[][], options: object): Dygraph;
    PLUGINS: unknown[];
    readonly dateTicker: unknown;
    readonly dateAxisLabelFormatter: unknown;
    readonly Plugins: { readonly Legend: unknown };
  };
  export default Dygraph;
}

declare module 'codemirror/lib/codemirror' {
  const CodeMirror: any;
  export default CodeMirror;
}
declare module 'codemirror/addon/hint/show-hint';
declare module 'codemirror/addon/edit/matchbrackets';
declare module 'codemirror/addon/edit/closebrackets';
declare module 'codemirror/addon/mode/simple';
declare module 'codemirror/addon/display/placeholder';

declare namespace JSX {
  interface HTMLAttributes {
    onCancel?: (event: Event) => void;
  }
}
