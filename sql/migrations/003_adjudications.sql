-- adjudications: reviewers' answers to cases of the worklist, as they came. An answer holds for the evidence that it
-- was given on, and for no other. It counts from the run after `after_run` on.
create table adjudications (
    answer_number integer,
    after_run integer,
    rule_id varchar,
    subject_id varchar,
    evidence_hash varchar,
    answer varchar,
    reason varchar,
    reviewer varchar,
    reviewed_on date,
    evidence varchar
);
