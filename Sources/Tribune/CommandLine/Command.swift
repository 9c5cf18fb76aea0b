/// A subcommand.
struct Command: Sendable {
    /// An option of a command, such as `--config.file=FILE`.
    struct Option: Sendable {
        /// The name without dashes.
        let name: String
        /// The placeholder of its value in the help text; `nil` for a switch.
        let value: String?
        /// The summary.
        let help: String
        /// The default value.
        let fallback: String?
        /// Whether the value may be missing where another option follows: pipelines leave out words that are empty.
        let mayBeEmpty: Bool

        /// An option with a value.
        static func value(
            _ name: String, _ value: String, _ help: String, default fallback: String? = nil, mayBeEmpty: Bool = false
        ) -> Option {
            Option(name: name, value: value, help: help, fallback: fallback, mayBeEmpty: mayBeEmpty)
        }

        /// A switch, off by default.
        static func flag(_ name: String, _ help: String) -> Option {
            Option(name: name, value: nil, help: help, fallback: nil, mayBeEmpty: false)
        }
    }

    /// The words of the command, such as `check config`.
    let name: String
    /// One line for the list of commands.
    let summary: String
    /// The operands in the usage line, such as `FILE...`.
    let operands: String
    /// The allowed number of operands.
    let operandCount: ClosedRange<Int>
    /// The options.
    let options: [Option]
    /// Other names of options.
    let aliases: [String: String]
    /// Options that are accepted without effect; not listed individually.
    let withoutEffect: [Option]
    /// More help text, printed below the options.
    let details: String
    /// Runs the command. Returns the exit code.
    let run: @Sendable (Invocation) throws(CommandFailure) -> Int32

    init(
        _ name: String, _ summary: String, operands: String = "", count: ClosedRange<Int> = 0...0,
        options: [Option] = [], aliases: [String: String] = [:], withoutEffect: [Option] = [], details: String = "",
        run: @escaping @Sendable (Invocation) throws(CommandFailure) -> Int32
    ) {
        self.name = name
        self.summary = summary
        self.operands = operands
        self.operandCount = count
        self.options = options
        self.aliases = aliases
        self.withoutEffect = withoutEffect
        self.details = details
        self.run = run
    }

    /// The text of `--help`.
    var help: String {
        var text = "\(summary)\n\nUsage: tribune \(name)\(options.isEmpty ? "" : " [OPTIONS]")"
        if !operands.isEmpty { text += " \(operands)" }
        text += "\n"
        if !options.isEmpty {
            let rows = options.map { option in
                let left = "  --\(option.name)" + (option.value.map { "=\($0)" } ?? "")
                let fallback = option.fallback.map { " (default: \($0))" } ?? ""
                return (left, option.help + fallback)
            }
            text += "\nOptions:\n" + Console.table(rows + [("  --help", "Show this text.")])
        }
        if !details.isEmpty { text += "\n\(details)\n" }
        return text
    }
}

/// The arguments of a call.
struct Invocation: Sendable {
    /// Values by option name. A switch that was given has the value `true`.
    let options: [String: [String]]
    /// The operands, in order.
    let operands: [String]

    /// The last value given for `name`, or its default.
    func value(_ name: String) -> String? { options[name]?.last }

    /// Every value given for `name`.
    func values(_ name: String) -> [String] { options[name] ?? [] }

    /// Whether the switch `name` was given.
    func flag(_ name: String) -> Bool { options[name]?.last == "true" }

    /// An error: the value of `name` is not what is `wanted`.
    func misuse(of name: String, _ wanted: String) -> CommandFailure {
        CommandFailure("--\(name) must be \(wanted), got \"\(value(name) ?? "")\"", code: .usage)
    }
}

/// Why a command failed.
struct CommandFailure: Error {
    /// Exit codes of all commands.
    enum Code: Int32 {
        /// The command ran and found an error.
        case failed = 1
        /// Wrong usage.
        case usage = 2
        /// There are only warnings, but the user requested that they count.
        case lint = 3
    }

    /// The exit code.
    let code: Code
    /// One or more lines for standard error.
    let message: String

    init(_ message: String, code: Code = .failed) {
        self.message = message
        self.code = code
    }
}
