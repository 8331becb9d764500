//! `cargo xtask`: builds the site, serves it, runs the tests.

#![forbid(unsafe_code)]

mod architecture;
mod bench;
mod build;
mod first;
mod fuzz;
mod licences;
mod lint;
mod package;
mod sbom;
mod serve;
mod size;
mod soak;
mod steps;
mod style;
mod test;
mod tools;

use anyhow::{Result, bail};

const HELP: &str = "\
cargo xtask serve [--port N] [--fast]       build, serve dist/ on this machine and print the address
cargo xtask build [--cpu] [--fast]          build the static site into dist/
cargo xtask package [--cpu] [--fast]        build, and pack the npm package and the site into target/package/
cargo xtask lint                            run the static checks: format, lints, imports, licences, types
cargo xtask test [--native] [--browser]     run the checks and tests (all, or one half)
cargo xtask size [--cpu]                    build as for a release and compare the download with tests/sizes.json
                 [--update --note TEXT]     add the sizes to that record, with a note on why they grew
cargo xtask fuzz [TARGET] [--minutes N]     read what is made up, for N minutes each (default 1)
cargo xtask soak [--minutes N] [--count N]  explain in Chromium, 2000 times or for so long; fail if memory grows, calls
                 [--seed N] [--webgpu]      stay pending or workers pile up; --deaths: the share of calls in which a
                 [--deaths N]               worker dies, half of them without a word (0.02)
cargo xtask bench [--quick] [--only NAME]   time the release builds beside tfjs and onnxruntime-web in a browser
                                            (sections: cpu, webgpu, cost, start, memory, size);
                  [--model NAME] [--save]   of one model; into tests/bench/results/, which docs/benchmark.md shows,
                                            in place of target/bench/
                  [--against DIST]          this build beside another one of Sightline's, on the CPU alone

--cpu    leave the WebGPU build out
--fast   quicker to build, slower to run: for tests and for work on the page
--port   fail if this port is taken (default: the first free one from 8080)";

fn main() {
    if let Err(error) = dispatch(&std::env::args().skip(1).collect::<Vec<_>>()) {
        eprintln!("error: {error:#}");
        std::process::exit(1);
    }
}

fn dispatch(args: &[String]) -> Result<()> {
    let Some((command, rest)) = args.split_first() else {
        println!("{HELP}");
        return Ok(());
    };
    let mut rest = Flags(rest.to_vec());
    match command.as_str() {
        "build" => {
            let (cpu, fast) = (rest.take("--cpu"), rest.take("--fast"));
            rest.finish()?;
            build::site(cpu, fast)
        }
        "package" => {
            let (cpu, fast) = (rest.take("--cpu"), rest.take("--fast"));
            rest.finish()?;
            package::run(cpu, fast)
        }
        "serve" => {
            let (port, fast) = (rest.take_number("--port")?, rest.take("--fast"));
            rest.finish()?;
            serve::run(port, fast)
        }
        "lint" => {
            rest.finish()?;
            lint::run()
        }
        "size" => {
            let (cpu, update, note) = (rest.take("--cpu"), rest.take("--update"), rest.take_text("--note")?);
            rest.finish()?;
            if update != note.is_some() {
                bail!("--update keeps the sizes with what they are for: --update --note TEXT");
            }
            size::run(cpu, note)
        }
        "test" => {
            let (native, browser) = (rest.take("--native"), rest.take("--browser"));
            rest.finish()?;
            test::run(native || !browser, browser || !native)
        }
        "fuzz" => {
            let minutes = rest.take_text("--minutes")?.map_or(Ok(1.0), |text| text.parse())?;
            let target = if rest.0.is_empty() { None } else { Some(rest.0.remove(0)) };
            rest.finish()?;
            fuzz::run(target.as_deref(), minutes)
        }
        "bench" => bench::run(rest.0),
        "soak" => soak::run(&rest.0),
        "help" | "--help" | "-h" => {
            println!("{HELP}");
            Ok(())
        }
        other => bail!("there is no command `{other}`\n\n{HELP}"),
    }
}

/// What is left of the command line.
struct Flags(Vec<String>);

impl Flags {
    fn take(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|flag| flag != name);
        self.0.len() < before
    }

    fn take_text(&mut self, name: &str) -> Result<Option<String>> {
        let Some(at) = self.0.iter().position(|flag| flag == name) else {
            return Ok(None);
        };
        self.0.remove(at);
        if at == self.0.len() {
            bail!("{name} needs a value");
        }
        Ok(Some(self.0.remove(at)))
    }

    fn take_number(&mut self, name: &str) -> Result<Option<u16>> {
        let Some(value) = self.take_text(name)? else {
            return Ok(None);
        };
        match value.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => bail!("{name} needs a number from 0 to 65535, got `{value}`"),
        }
    }

    fn finish(self) -> Result<()> {
        match self.0.first() {
            Some(unknown) => bail!("unknown option `{unknown}`\n\n{HELP}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(args: &[&str]) -> Flags {
        Flags(args.iter().map(|arg| (*arg).to_owned()).collect())
    }

    #[test]
    fn flags_are_taken_and_leftovers_refused() {
        let mut args = flags(&["--fast", "--port", "9000"]);
        assert!(args.take("--fast"));
        assert!(!args.take("--cpu"));
        assert_eq!(args.take_number("--port").unwrap(), Some(9000));
        args.finish().unwrap();
        assert_eq!(flags(&["--note", "a b"]).take_text("--note").unwrap().as_deref(), Some("a b"));
        assert_eq!(flags(&[]).take_text("--note").unwrap(), None);
        assert!(flags(&["--port"]).take_number("--port").is_err());
        assert!(flags(&["--port", "70000"]).take_number("--port").is_err());
        assert!(flags(&["--fsat"]).finish().is_err());
    }
}
