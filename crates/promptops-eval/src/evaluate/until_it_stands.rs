//! Asking until the verdict stands: the cases in random order, with looks in between, and no more of them than it takes.
//!
//! **Invariant.** When the run is looked at follows from the dataset alone, and units are taken in their order. So the verdict, and
//! which answers it rests on, depend neither on how many calls are under way nor on which of them comes back first.

use std::collections::HashSet;

use super::{Asked, Prepared, columns, seed};
use crate::compare::early_stop::{self, Stand, Watch};
use crate::compare::{Answers, Outcomes, must_pass_failures};
use crate::dataset::{Case, Dataset, DatasetError, Head};
use crate::error::EvalError;
use crate::recording::Replay;
use crate::run::{Question, Run, Served, Settings, run_pairs};
use crate::subject::Subject;

/// How often a run that may stop early is looked at, at most.
const LOOKS: usize = 25;

/// What the cases that must pass came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MustPass {
    /// They all do, as far as they say.
    Holds,
    /// Nothing is known of some: no pass can be told.
    Open,
    /// One does not, whatever the averages show.
    Fails,
}

/// A candidate and its parent, asked some cases at a time.
struct Asking<'a> {
    prepared: &'a Prepared<'a>,
    dataset: &'a Dataset,
    versions: (&'a Subject, &'a Subject),
    settings: &'a Settings<'a>,
    cases: Vec<Case>,
    /// The runs of the candidate and of the parent so far, and the numbers of their cases.
    runs: Option<(Run, Run)>,
    numbers: Vec<usize>,
    /// How many parts were asked ahead, and how their answers were come by.
    parts_ahead: usize,
    ahead: Served,
}

impl Prepared<'_> {
    /// Asks both versions in random order of the cases until the verdict stands or no case is left.
    ///
    /// The order follows from the dataset and the two versions, so that the same run is the same again. Cases that must pass are
    /// asked in any case, for no average outweighs them. The cases are held in memory; `dataset` is that of the eval, with its clusters
    /// as they count.
    pub(super) async fn ask_until_it_stands(
        &self,
        dataset: &Dataset,
        (candidate, parent): (&Subject, &Subject),
        settings: &Settings<'_>,
    ) -> Result<Asked, EvalError> {
        let heads = &dataset.heads;
        let order = early_stop::order(heads, seed(&[dataset.digest, candidate.digest, parent.digest]));
        let units = self.units();
        let basis = self.basis(heads, &units);
        let statistics = |source| EvalError::Statistics { metric: "early stop".to_owned(), source };
        let mut watch = Watch::new(&basis, &order).map_err(statistics)?;
        let mut asking = Asking::of(self, dataset, (candidate, parent), settings)?;
        let must_pass = asking.must_pass().await?;
        let parts: Vec<&[Vec<usize>]> = order.chunks(order.len().div_ceil(LOOKS).max(1)).collect();
        let (mut of_candidate, mut of_parent) = (Answers::default(), Answers::default());
        let mut has_stopped = false;
        for (number, part) in parts.iter().enumerate() {
            asking.ask_ahead(&parts, number).await?;
            let (dataset, after, before) = asking.ask(&part.concat()).await?;
            let mut place = 0;
            for unit in *part {
                let places: Vec<usize> = (place..place + unit.len()).collect();
                place += unit.len();
                watch.take(&dataset.heads, &places, &after, &before).map_err(statistics)?;
            }
            (of_candidate, of_parent) = (of_candidate.and(after.answers()), of_parent.and(before.answers()));
            let stand = watch.stands();
            let errors = of_candidate.error_share().max(of_parent.error_share());
            let may_stop = errors <= basis.max_error_share
                && match must_pass {
                    MustPass::Holds => stand.is_some(),
                    MustPass::Open => stand == Some(Stand::Worse),
                    MustPass::Fails => true,
                };
            if may_stop && number + 1 < parts.len() {
                has_stopped = true;
                break;
            }
        }
        asking.end(watch, has_stopped).await
    }
}

impl<'a> Asking<'a> {
    fn of(
        prepared: &'a Prepared<'a>,
        dataset: &'a Dataset,
        versions: (&'a Subject, &'a Subject),
        settings: &'a Settings<'a>,
    ) -> Result<Self, EvalError> {
        let with_cluster = |(case, head): (Result<Case, DatasetError>, Head)| Ok(Case { head, ..case? });
        let cases = dataset.rows().zip(dataset.heads.iter()).map(with_cluster).collect::<Result<_, DatasetError>>()?;
        let (runs, numbers, parts_ahead, ahead) = (None, Vec::new(), 0, Served::default());
        Ok(Self { prepared, dataset, versions, settings, cases, runs, numbers, parts_ahead, ahead })
    }

    /// Asks the cases that must pass. What they say is recorded, so that they take no further calls when their turn comes.
    async fn must_pass(&mut self) -> Result<MustPass, EvalError> {
        let heads = &self.dataset.heads;
        let numbers: Vec<usize> = (0..heads.len()).filter(|case| heads.must_pass(*case)).collect();
        if numbers.is_empty() {
            return Ok(MustPass::Holds);
        }
        let dataset = self.dataset_of(&numbers);
        let (candidate, parent) = self.prepared.run_pairs(self.versions, &dataset, self.settings).await?;
        self.ahead += parent.served;
        let units = self.prepared.units();
        let outcomes = Outcomes::of(&candidate, units.clone())?;
        let failures = must_pass_failures(&self.prepared.basis(&dataset.heads, &units), &outcomes);
        Ok(match failures.iter().all(|failure| failure.is_outside) {
            _ if failures.is_empty() => MustPass::Holds,
            true => MustPass::Open,
            false => MustPass::Fails,
        })
    }

    /// Asks for the answers to this part and the next ones, where one part alone would leave calls waiting for each other. They are
    /// recorded, and judged when their turn comes.
    async fn ask_ahead(&mut self, parts: &[&[Vec<usize>]], number: usize) -> Result<(), EvalError> {
        // Where nothing may be asked, an answer that the verdict does not take need not be there.
        if number < self.parts_ahead || self.settings.recording.mode() == Replay::Only {
            return Ok(());
        }
        let repeats = self.prepared.spec.repeats;
        let calls = |part: &[Vec<usize>]| 2 * repeats as usize * part.iter().map(Vec::len).sum::<usize>();
        let (mut until, mut under_way) = (number, 0);
        while until < parts.len() && under_way < 2 * self.settings.concurrency {
            under_way += calls(parts[until]);
            until += 1;
        }
        self.parts_ahead = until;
        if until < number + 2 {
            return Ok(());
        }
        let dataset = self.dataset_of(&parts[number..until].concat().concat());
        let (candidate, parent) = self.versions;
        let columns = |subject: &Subject| columns(self.prepared.spec, &dataset, &subject.content);
        let (of_candidate, of_parent) = (columns(candidate), columns(parent));
        let question = |subject, columns| Question { subject, dataset: &dataset, columns, repeats, scorers: &[] };
        let (_, parent) = run_pairs(&question(candidate, &of_candidate), &question(parent, &of_parent), self.settings).await?;
        self.ahead += parent.served;
        Ok(())
    }

    /// Asks these cases; returns them with what the candidate and the parent came to.
    async fn ask(&mut self, numbers: &[usize]) -> Result<(Dataset, Outcomes, Outcomes), EvalError> {
        let dataset = self.dataset_of(numbers);
        let (after, before) = self.prepared.run_pairs(self.versions, &dataset, self.settings).await?;
        let units = self.prepared.units();
        let outcomes = (Outcomes::of(&after, units.clone())?, Outcomes::of(&before, units)?);
        self.numbers.extend(numbers);
        match &mut self.runs {
            None => self.runs = Some((after, before)),
            Some((candidate, parent)) => {
                candidate.append(after)?;
                parent.append(before)?;
            }
        }
        Ok((dataset, outcomes.0, outcomes.1))
    }

    fn dataset_of(&self, numbers: &[usize]) -> Dataset {
        self.dataset.of_cases(numbers.iter().map(|number| self.cases[*number].clone()).collect())
    }

    /// Ends the run. Where it stopped, the cases that must pass and were not drawn stand beside the others.
    async fn end(mut self, watch: Watch<'_>, has_stopped: bool) -> Result<Asked, EvalError> {
        let drawn = self.numbers.len();
        if has_stopped {
            let heads = &self.dataset.heads;
            let mut besides: Vec<usize> = (0..heads.len()).filter(|case| heads.must_pass(*case)).collect();
            let is_drawn: HashSet<usize> = self.numbers.iter().copied().collect();
            besides.retain(|number| !is_drawn.contains(number));
            if !besides.is_empty() {
                self.ask(&besides).await?;
            }
        }
        let Some((mut candidate, mut parent)) = self.runs.take() else {
            return self.prepared.ask_all(self.versions.0, Some(self.versions.1), self.settings).await;
        };
        // Reports show cases in the order of the file.
        let mut places: Vec<usize> = (0..self.numbers.len()).collect();
        places.sort_by_key(|place| self.numbers[*place]);
        candidate.reorder(&places);
        parent.reorder(&places);
        let in_order: Vec<usize> = places.iter().map(|place| self.numbers[*place]).collect();
        Ok(Asked {
            candidate,
            parent: Some(parent),
            dataset: has_stopped.then(|| self.dataset_of(&in_order)),
            looks: Some(watch.end(has_stopped)),
            drawn: (drawn < places.len()).then(|| places.iter().map(|place| *place < drawn).collect()),
            parent_is_kept: false,
            ahead: self.ahead,
        })
    }
}
