/// Finds the requested command, parses its arguments, and runs it.
enum CommandLineTool {
    /// The purpose of the program, in one sentence.
    static let purpose =
        "Tribune takes traffic back to the stable version of a service when a release violates a rule."

    /// Exit codes of all commands.
    static let exitCodes: [(code: Int, meaning: String)] = [
        (0, "Success."),
        (1, "Failure: the command found an error, or could not do its work."),
        (2, "Wrong usage."),
        (3, "Lint remarks with --lint-fatal, or an inconclusive gate."),
    ]

    /// Runs the command in `arguments` (without the program's name). Returns the exit code: 0 for success, 1 if the
    /// command found an error, 2 for wrong usage.
    static func run(_ arguments: [String], commands: [Command]) -> Int32 {
        guard let first = arguments.first else {
            Console.error(overview(commands))
            return CommandFailure.Code.usage.rawValue
        }
        if ["--help", "-h", "help"].contains(first) {
            let words = arguments.dropFirst()
            if first == "help", !words.isEmpty { return run(words + ["--help"], commands: commands) }
            Console.print(overview(commands))
            return 0
        }
        let wanted = first == "--version" ? ["version"] + arguments.dropFirst() : arguments
        guard
            let command = commands.first(where: { wanted.starts(with: $0.name.split(separator: " ").map(String.init)) })
        else { return unknown(wanted, commands) }
        let rest = Array(wanted.dropFirst(command.name.split(separator: " ").count))
        if rest.contains("--help") || rest.contains("-h") {
            Console.print(command.help)
            return 0
        }
        do throws(CommandFailure) {
            return try command.run(try parse(rest, for: command))
        } catch {
            Console.error("tribune \(command.name): \(error.message)")
            if error.code == .usage { Console.error("Try 'tribune \(command.name) --help'.") }
            return error.code.rawValue
        }
    }

    /// Parses `--name=value`, `--name value`, switches, `--no-switch` and operands. `--` ends the options.
    /// Names may be aliases.
    static func parse(_ arguments: [String], for command: Command) throws(CommandFailure) -> Invocation {
        var options: [String: [String]] = [:]
        var operands: [String] = []
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            if argument == "--" {
                operands += rest
                break
            }
            guard argument.hasPrefix("--") else {
                operands.append(argument)
                continue
            }
            let parts = argument.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let given = String(parts[0])
            guard let (option, isNegated) = option(given, of: command) else {
                throw CommandFailure("unknown option --\(given)", code: .usage)
            }
            let name = option.name
            if option.value == nil {
                let value = isNegated ? "false" : parts.count > 1 ? String(parts[1]) : "true"
                guard ["true", "false"].contains(value) else {
                    throw CommandFailure("--\(name) takes no value", code: .usage)
                }
                options[name] = [value]
            } else if parts.count > 1 {
                options[name, default: []].append(String(parts[1]))
            } else if option.mayBeEmpty, rest.first?.hasPrefix("--") ?? true {
                options[name, default: []].append("")
            } else if let value = rest.popFirst() {
                options[name, default: []].append(value)
            } else {
                throw CommandFailure("--\(name) needs a value", code: .usage)
            }
        }
        guard command.operandCount.contains(operands.count) else {
            let problem =
                operands.count < command.operandCount.lowerBound ? "an operand is missing" : "too many operands"
            let operands = command.operands.isEmpty ? "" : " " + command.operands
            throw CommandFailure("\(problem); usage: tribune \(command.name)\(operands)", code: .usage)
        }
        for option in command.options where options[option.name] == nil {
            if let fallback = option.fallback { options[option.name] = [fallback] }
        }
        return Invocation(options: options, operands: operands)
    }

    /// The option named `name`; a switch has another name that turns it off.
    private static func option(_ name: String, of command: Command) -> (option: Command.Option, isNegated: Bool)? {
        let options = command.options + command.withoutEffect
        let wanted = command.aliases[name] ?? name
        if let option = options.first(where: { $0.name == wanted }) { return (option, false) }
        guard name.hasPrefix("no-") else { return nil }
        return options.first { $0.value == nil && $0.name == name.dropFirst(3) }.map { ($0, true) }
    }

    private static func overview(_ commands: [Command]) -> String {
        """
        \(purpose)

        Usage: tribune COMMAND [OPTIONS] [OPERANDS]

        Commands:
        \(Console.table(commands.map { ("  " + $0.name, $0.summary) }))
        'tribune COMMAND --help' explains a command. Exit codes: 0 success, 1 failure, 2 wrong usage,
        3 lint remarks with --lint-fatal, or an inconclusive gate.
        """
    }

    private static func unknown(_ words: [String], _ commands: [Command]) -> Int32 {
        let group = commands.filter { $0.name.hasPrefix(words[0] + " ") }
        if group.isEmpty {
            Console.error("tribune: unknown command '\(words[0])'. Try 'tribune --help'.")
        } else {
            let list =
                "tribune \(words[0]) needs a subcommand:\n"
                + Console.table(group.map { ("  " + $0.name, $0.summary) })
            if words.dropFirst().allSatisfy({ ["--help", "-h"].contains($0) }), words.count > 1 {
                Console.print(list)
                return 0
            }
            Console.error(list)
        }
        return CommandFailure.Code.usage.rawValue
    }
}
