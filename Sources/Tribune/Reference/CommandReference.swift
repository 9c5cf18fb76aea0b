/// The page of all commands and options, in Markdown. `docs/reference/commands.md` is its output.
struct CommandReference {
    let commands: [Command]

    /// The page.
    var markdown: String {
        var text = """
            # Commands

            `tribune reference commands` prints this page. `tribune COMMAND --help` and `man tribune-COMMAND` show one command.

            Exit codes:

            | code | meaning |
            |---|---|

            """
        for (code, meaning) in CommandLineTool.exitCodes { text += "| \(code) | \(meaning) |\n" }
        for command in commands { text += "\n" + section(of: command) }
        return text
    }

    private func section(of command: Command) -> String {
        var text = "## \(command.name)\n\n\(command.summary)\n\n```text\ntribune \(command.name)"
        if !command.options.isEmpty { text += " [OPTIONS]" }
        if !command.operands.isEmpty { text += " \(command.operands)" }
        text += "\n```\n"
        if !command.options.isEmpty {
            text += "\n| option | default | meaning |\n|---|---|---|\n"
            for option in command.options {
                let value = option.value.map { "=\($0)" } ?? ""
                let fallback = option.fallback.map { "`\($0)`" } ?? ""
                text += "| `--\(option.name)\(value)` | \(fallback) | \(option.help.replacing("|", with: "\\|")) |\n"
            }
        }
        if !command.details.isEmpty { text += "\n```text\n\(command.details)\n```\n" }
        return text
    }
}
