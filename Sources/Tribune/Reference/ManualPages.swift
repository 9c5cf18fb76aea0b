/// Manual pages in roff, generated from the table of commands.
struct ManualPages {
    let commands: [Command]

    /// File names (`tribune.1`, `tribune-check-config.1`, …) with their text.
    var files: [(name: String, text: String)] {
        [("tribune.1", overview)] + commands.map { (Self.fileName(of: $0), page(of: $0)) }
    }

    private static func fileName(of command: Command) -> String { pageName(of: command) + ".1" }

    private static func pageName(of command: Command) -> String {
        "tribune-" + command.name.split(separator: " ").joined(separator: "-")
    }

    private var overview: String {
        var text = header("TRIBUNE")
        text += ".SH NAME\ntribune \\- take traffic back the moment a release violates a rule\n"
        text += ".SH SYNOPSIS\n.B tribune\n.I COMMAND\n[OPTIONS] [OPERANDS]\n"
        text += ".SH DESCRIPTION\n" + Self.escaped(CommandLineTool.purpose) + "\n"
        text += ".SH COMMANDS\n"
        for command in commands {
            text += ".TP\n.B \(Self.escaped(command.name))\n\(Self.escaped(command.summary))\n"
        }
        text += ".SH EXIT STATUS\n"
        for (code, meaning) in CommandLineTool.exitCodes { text += ".TP\n.B \(code)\n\(Self.escaped(meaning))\n" }
        text += """
            .SH FILES
            .TP
            .I /etc/tribune/tribune.yml
            The configuration of the service.
            .TP
            .I /etc/default/tribune
            The flags of the service.
            .TP
            .I /var/lib/tribune
            Samples, history and journals.

            """
        return text + seeAlso(commands.map { Self.pageName(of: $0) })
    }

    private func page(of command: Command) -> String {
        let name = Self.pageName(of: command)
        var text = header(name.uppercased())
        let summary = command.summary.hasSuffix(".") ? String(command.summary.dropLast()) : command.summary
        text += ".SH NAME\n\(Self.escaped(name)) \\- \(Self.escaped(summary))\n"
        text += ".SH SYNOPSIS\n.B tribune \(Self.escaped(command.name))\n"
        if !command.options.isEmpty { text += "[OPTIONS]\n" }
        if !command.operands.isEmpty { text += ".I \(Self.escaped(command.operands))\n" }
        if !command.details.isEmpty { text += ".SH DESCRIPTION\n\(Self.paragraphs(command.details))" }
        text += ".SH OPTIONS\n"
        for option in command.options {
            let value = option.value.map { "=\\fI\(Self.escaped($0))\\fR" } ?? ""
            let fallback = option.fallback.map { " Default: \($0)." } ?? ""
            text += ".TP\n\\fB\\-\\-\(Self.escaped(option.name))\\fR\(value)\n"
            text += Self.escaped(option.help + fallback) + "\n"
        }
        text += ".TP\n\\fB\\-\\-help\\fR\nShow the options of this command.\n"
        return text + seeAlso(["tribune"])
    }

    private func header(_ title: String) -> String {
        ".TH \"\(Self.escaped(title))\" 1 \"\(Version.released)\" \"tribune \(Version.number)\" \"Tribune\"\n"
    }

    private func seeAlso(_ names: [String]) -> String {
        ".SH SEE ALSO\n" + names.map { ".BR \(Self.escaped($0)) (1)" }.joined(separator: ",\n") + "\n"
    }

    /// Lines that begin with a blank are printed unchanged; the others are filled.
    private static func paragraphs(_ text: String) -> String {
        var result = ""
        var isVerbatim = false
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.isEmpty {
                if !isVerbatim { result += ".PP\n" }
                continue
            }
            let wanted = line.first == " "
            if wanted != isVerbatim { result += wanted ? ".nf\n" : ".fi\n" }
            isVerbatim = wanted
            result += escaped(String(line)) + "\n"
        }
        return result + (isVerbatim ? ".fi\n" : "")
    }

    /// Text in which nothing is a roff request or escape.
    private static func escaped(_ text: String) -> String {
        var result = ""
        for character in text {
            switch character {
            case "\\": result += "\\e"
            case "-": result += "\\-"
            case "…": result += "..."
            default: result.append(character)
            }
        }
        return result.hasPrefix(".") || result.hasPrefix("'") ? "\\&" + result : result
    }
}
