internal import Glibc

// This file contains only the call: closures here would be bound to the main actor.
exit(CommandLineTool.run(Array(CommandLine.arguments.dropFirst()), commands: Commands.all))
