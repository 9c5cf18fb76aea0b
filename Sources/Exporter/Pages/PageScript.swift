/// What fills the page.
let pageScript = ""
