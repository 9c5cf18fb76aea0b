internal import Runtime

/// `tribune completion` and `tribune reference`: files generated from the program itself.
enum ReferenceCommands {
    static let completion = Command(
        "completion", "Print a script that completes commands, options and files in a shell.",
        operands: "bash|zsh|fish", count: 1...1,
        details: "Example: source <(tribune completion bash)"
    ) { (invocation) throws(CommandFailure) in
        guard let shell = Completions.Shell(rawValue: invocation.operands[0]) else {
            throw CommandFailure("expected bash, zsh or fish, got \"\(invocation.operands[0])\"", code: .usage)
        }
        Console.print(String(Completions(commands: Commands.all).script(for: shell).dropLast()))
        return 0
    }

    static let manual = Command(
        "reference man", "Write the manual pages into a directory.", operands: "DIR", count: 1...1
    ) { (invocation) throws(CommandFailure) in
        let directory = invocation.operands[0]
        guard Paths.makeDirectory(directory) else { throw CommandFailure("\(directory): \(SystemError.current)") }
        for (name, text) in ManualPages(commands: Commands.all).files {
            guard FileText.write(text, to: "\(directory)/\(name)", isPrivate: false) else {
                throw CommandFailure("\(directory)/\(name): \(SystemError.current)")
            }
        }
        return 0
    }

    static let commandPage = Command(
        "reference commands", "Print every command with its options, as Markdown."
    ) { (_) throws(CommandFailure) in
        Console.print(String(CommandReference(commands: Commands.all).markdown.dropLast()))
        return 0
    }

    static let all = [completion, manual, commandPage]
}
