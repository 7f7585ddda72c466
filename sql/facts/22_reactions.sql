-- Infusion reactions and anaphylaxis, and what was given around them. Few patients have one: they come first, so that
-- the doses are joined to a small table.
create or replace temp table reaction_patients as
select distinct
    c.patient_key,
    c.patient_id
from stg_events as e
inner join cases as c on e.patient_key = c.patient_key
where e.event in ('infusion_reaction', 'anaphylaxis');

-- fct_reaction_doses: one row a dose of one infused drug, of a patient who had a reaction. derived: inside a recorded
-- course, or in the name of a regimen that does not tell its drugs' days apart, so that its day is not known.
-- open_course: a course without an end.
create or replace table fct_reaction_doses as
select
    d.patient_key,
    d.episode_key,
    d.dose_date,
    d.ingredient,
    i.is_her2_antibody as is_antibody,
    bool_and(d.derived or d.in_sequence) as derived,
    bool_or(d.open_course) as open_course
from fct_doses as d
inner join reaction_patients as p on d.patient_key = p.patient_key
inner join ingredients as i on d.ingredient = i.ingredient
where i.is_her2_antibody or i.is_her2_conjugate or i.is_cytotoxic
group by
    d.patient_key,
    d.episode_key,
    d.dose_date,
    d.ingredient,
    i.is_her2_antibody;

-- fct_reaction_medicines: one row a day on which such a patient was given a drug against reactions;
-- given_date null where a row has no date.
create or replace table fct_reaction_medicines as
select distinct
    p.patient_key,
    coalesce(m.start_date, t.start_date) as given_date
from treatments as t
inner join reaction_patients as p on t.patient_id = p.patient_id
inner join drug_names as n on t.drug = n.drug
left join dose_days_moved as m on p.patient_key = m.patient_key and t.row_number = m.row_number
where
    n.ingredient in (
        'dexamethasone', 'prednisone', 'prednisolone', 'methylprednisolone', 'hydrocortisone',
        'diphenhydramine', 'famotidine', 'ranitidine', 'paracetamol'
    );
