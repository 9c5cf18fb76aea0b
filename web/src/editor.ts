// An editor for PromQL, by CodeMirror. A bundle of its own: it is loaded by the query view.
import CodeMirror from 'codemirror/lib/codemirror';
import 'codemirror/addon/display/placeholder';
import 'codemirror/addon/edit/closebrackets';
import 'codemirror/addon/edit/matchbrackets';
import 'codemirror/addon/hint/show-hint';
import 'codemirror/addon/mode/simple';
import type { Suggestion } from './model/promql';

export interface EditorSpec {
  text: string;
  label: string;
  placeholder: string;
  onChange: (text: string) => void;
  /** Enter was pressed; Shift+Enter begins a line. */
  onRun: () => void;
  /** What may stand at the end of `before`, and the part of it that is replaced. */
  complete: (before: string) => Promise<{ prefix: string; suggestions: Suggestion[] }>;
}

export interface EditorHandle {
  setText(text: string): void;
  focus(): void;
  destroy(): void;
}

(CodeMirror as any).defineSimpleMode('promql', {
  start: [
    { regex: /"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|`[^`]*`?/, token: 'string' },
    { regex: /#.*/, token: 'comment' },
    {
      regex: /\b(?:by|without|on|ignoring|group_left|group_right|offset|bool|and|or|unless|atan2)\b/,
      token: 'keyword',
    },
    { regex: /[A-Za-z_:][\w:]*(?=\s*\()/, token: 'builtin' },
    { regex: /[A-Za-z_]\w*(?=\s*(?:=|!=|=~|!~))/, token: 'attribute' },
    { regex: /\[[^\]]*\]?/, token: 'number' },
    { regex: /[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf|NaN)\b/i, token: 'number' },
    { regex: /[A-Za-z_:][\w:]*/, token: 'variable' },
    { regex: /[-+*/%^=!<>~]+/, token: 'operator' },
  ],
});

export function edit(element: HTMLElement, spec: EditorSpec): EditorHandle {
  const hint = async (editor: any) => {
    const cursor = editor.getCursor();
    const before = editor.getRange({ line: 0, ch: 0 }, cursor);
    const { prefix, suggestions } = await spec.complete(before);
    return {
      from: { line: cursor.line, ch: cursor.ch - prefix.length },
      to: cursor,
      list: suggestions.map((one) => ({
        text: one.text,
        render: (item: HTMLElement) => {
          const name = document.createElement('span');
          name.textContent = one.text;
          const detail = document.createElement('small');
          detail.textContent = one.detail || one.kind;
          item.append(name, detail);
        },
      })),
    };
  };
  const editor = (CodeMirror as any)(element, {
    value: spec.text,
    mode: 'promql',
    lineWrapping: true,
    viewportMargin: Infinity,
    placeholder: spec.placeholder,
    screenReaderLabel: spec.label,
    autoCloseBrackets: true,
    matchBrackets: true,
    inputStyle: 'contenteditable',
    hintOptions: { hint, completeSingle: false, closeCharacters: /[\s()[\]{};,]/ },
    extraKeys: {
      Enter: () => spec.onRun(),
      'Shift-Enter': 'newlineAndIndent',
      'Ctrl-Space': 'autocomplete',
      // The Tab key leaves the editor, as it leaves every field.
      Tab: false,
      'Shift-Tab': false,
    },
  });
  editor.getInputField().setAttribute('aria-label', spec.label);
  editor.getInputField().setAttribute('role', 'textbox');
  editor.getInputField().setAttribute('aria-multiline', 'true');
  editor.on('change', () => spec.onChange(editor.getValue()));
  editor.on('inputRead', (_: unknown, change: { text: string[] }) => {
    if (/[\w:{"[(,]$/.test(change.text.join(''))) editor.showHint();
  });
  window.setTimeout(() => editor.refresh(), 0);
  return {
    setText(text: string) {
      if (editor.getValue() !== text) editor.setValue(text);
    },
    focus() {
      editor.focus();
    },
    destroy() {
      element.replaceChildren();
    },
  };
}
