internal import Glibc

// This file contains only the calls: closures here would be bound to the main actor.
let program = CommandLine.arguments.first ?? ""
let arguments = PrometheusFlags.arguments(program, Array(CommandLine.arguments.dropFirst()))
exit(CommandLineTool.run(arguments, commands: Commands.all))
