/// The look of the page.
let pageStyle = "body { font-family: sans-serif }"
