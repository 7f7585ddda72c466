-- beside_rows: treatment rows that name another invasive tumour than the index one, not known to be HER2-positive.
create or replace temp table beside_rows as
select
    f.patient_key,
    t.row_number
from fct_tumours as f
inner join cases as c on f.patient_key = c.patient_key
inner join treatments as t on c.patient_id = t.patient_id and f.tumour_id = t.tumour_id
where f.tumour_count > 1 and not f.is_index and f.invasive and f.her2_status <> 'positive';

-- fct_cytotoxic_days: one row a day of an episode on which one cytotoxic drug was given, in one setting.
-- schedule, by the distance to the drug's neighbouring days: weekly, two-weekly, three-weekly (a lone day too), oral.
-- exposed_through: last day of exposure, inclusive (rules.md 2.6: 7, 14 or 21 days with the day itself; capecitabine,
-- the oral one, 14 from its dispensing). cycle_days: what the day weighs as treatment, for sums: a weekly dose 7, any
-- other a whole cycle of 21, so that sum(cycle_days) of one drug is its three-weekly equivalents times 21.
-- days_since and days_until: to the drug's day before and after, null where there is none.
-- derived: unfolded from a course's dates; single: told by a row of its own (too);
-- open_course: a course without an end, how many doses it held is not known;
-- is_regimen: read from a regimen's name; in_sequence: from one that does not tell its drugs' days apart.
-- beside: recorded for another tumour alone, which is not known to be HER2-positive.
-- A conjugate is never cytotoxic here. Methotrexate is, whatever it was for.
create or replace table fct_cytotoxic_days as
with days as (
    select
        d.patient_key,
        d.episode_key,
        d.setting,
        d.ingredient,
        d.dose_date,
        bool_or(d.derived) as derived,
        bool_or(not d.derived) as single,
        bool_or(d.open_course) as open_course,
        bool_or(d.is_regimen) as is_regimen,
        bool_and(d.in_sequence) as in_sequence,
        bool_or(d.in_trial) as in_trial,
        max(d.stop_reason) as stop_reason,
        bool_and(b.row_number is not null) as beside
    from fct_doses as d
    inner join ingredients as i on d.ingredient = i.ingredient
    left join beside_rows as b on d.patient_key = b.patient_key and d.row_number = b.row_number
    where i.is_cytotoxic
    group by
        d.patient_key,
        d.episode_key,
        d.setting,
        d.ingredient,
        d.dose_date
),

neighboured as (
    select
        *,
        date_diff('day', lag(dose_date) over drug_days, dose_date) as days_since,
        date_diff('day', dose_date, lead(dose_date) over drug_days) as days_until
    from days
    window drug_days as (partition by episode_key, setting, ingredient order by dose_date)
),

scheduled as (
    select
        *,
        case
            when ingredient = 'capecitabine' then 'oral'
            when days_until <= $weekly_interval_days then 'weekly'
            when days_until < $three_weekly_least_days and days_since <= $weekly_interval_days then 'weekly'
            when days_until < $three_weekly_least_days then 'two-weekly'
            when days_until <= $three_weekly_most_days then 'three-weekly'
            when days_since <= $weekly_interval_days then 'weekly'
            when days_since < $three_weekly_least_days then 'two-weekly'
            else 'three-weekly'
        end as schedule
    from neighboured
)

select
    s.*,
    i.is_taxane,
    i.is_anthracycline,
    i.is_platinum,
    cast(
        s.dose_date
        + case s.schedule
            when 'weekly' then $weekly_days
            when 'two-weekly' then $two_weekly_days
            when 'oral' then $capecitabine_days
            else $three_weekly_days
        end
        - 1 as date
    ) as exposed_through,
    case s.schedule when 'weekly' then $weekly_days else $three_weekly_days end as cycle_days
from scheduled as s
inner join ingredients as i on s.ingredient = i.ingredient;

-- fct_adjuvant_chemotherapy: one row an episode operated on first, with what was given after surgery and before any
-- recurrence. The cycle_days are sums: three-weekly equivalents times 21.
-- docetaxel_carboplatin and docetaxel_cyclophosphamide: of docetaxel days with the partner close by.
-- most_...: the most that it may have been, wherever the doses of a course were given between its first day and its
-- end, and as often as every two weeks: a day that a course was unfolded to is not known, nor how many there were.
-- paclitaxel: any taxane but docetaxel, so nab-paclitaxel too. unnamed_taxane: a regimen's name left open which.
-- paclitaxel_alone: nothing of what makes another listed backbone beside it, save what is recorded for another tumour.
-- beside: some drug is recorded for another tumour alone. named_once: a regimen's name stands
-- once, for a number of cycles that is not recorded. in_sequence: as in fct_cytotoxic_days. is_open: a course without
-- an end. paclitaxel_not_counted: named_once or is_open is true of paclitaxel.
-- first_anthracycline_date, series_end: up to the first long pause; chemotherapy begun after it treats something else.
create or replace table fct_adjuvant_chemotherapy as
with given as (
    select c.*
    from fct_tumours as t
    inner join fct_cytotoxic_days as c on t.episode_key = c.episode_key
    where
        t.is_index
        and t.pathway = 'surgery-first'
        and c.setting = 'curative'
        and c.dose_date < coalesce(t.recurrence_date, date '9999-12-31')
),

preceded as (
    select
        episode_key,
        dose_date,
        lag(dose_date) over (partition by episode_key order by dose_date) as date_before
    from given
),

pauses as (
    select
        episode_key,
        min(dose_date) as resumed_date,
        min(date_before) as series_end
    from preceded
    where date_diff('day', date_before, dose_date) > $first_course_gap_days
    group by episode_key
),

taxane_partners as (
    select
        g.episode_key,
        g.dose_date,
        g.cycle_days,
        bool_or(p.ingredient = 'carboplatin') as with_carboplatin,
        bool_or(p.ingredient = 'cyclophosphamide') as with_cyclophosphamide
    from given as g
    inner join given as p on g.episode_key = p.episode_key
    where
        g.ingredient = 'docetaxel'
        and p.ingredient in ('carboplatin', 'cyclophosphamide')
        and abs(date_diff('day', g.dose_date, p.dose_date)) <= $same_cycle_days
    group by
        g.episode_key,
        g.dose_date,
        g.cycle_days
),

pairs as (
    select
        episode_key,
        sum(cycle_days) filter (where with_carboplatin) as docetaxel_carboplatin,
        sum(cycle_days) filter (where with_cyclophosphamide) as docetaxel_cyclophosphamide
    from taxane_partners
    group by episode_key
),

-- What is told of each drug: single days, and courses from their first day to their end (a far one if not recorded).
spans as (
    select
        episode_key,
        ingredient,
        dose_date as first_date,
        dose_date as last_date,
        case
            when bool_or(derived) over (partition by episode_key, ingredient) then $three_weekly_days
            else cycle_days
        end as weight,
        single
    from given
    union all
    select
        g.episode_key,
        g.ingredient,
        min(d.dose_date) as first_date,
        max(greatest(d.dose_date, coalesce(d.end_date, date '9999-12-31'))) as last_date,
        $three_weekly_days as weight,
        true as single
    from given as g
    inner join fct_doses as d
        on
            g.episode_key = d.episode_key
            and g.setting = d.setting
            and g.ingredient = d.ingredient
            and g.dose_date = d.dose_date
    where d.derived
    group by
        g.episode_key,
        g.ingredient,
        d.row_number
),

told as (
    select
        episode_key,
        ingredient,
        first_date,
        last_date,
        weight * (1 + cast(floor(date_diff('day', first_date, last_date) / $two_weekly_days) as integer)) as most_days,
        row_number() over (partition by episode_key order by ingredient, first_date, last_date) as span_number
    from spans
    where single
),

-- How often a single day or a course of docetaxel may have had each of its partner's beside it.
perhaps_partners as (
    select
        d.episode_key,
        p.ingredient,
        d.span_number,
        d.most_days,
        sum(
            $three_weekly_days
            * (
                1 + cast(
                    floor(
                        date_diff(
                            'day',
                            greatest(d.first_date, p.first_date - $same_cycle_days),
                            least(d.last_date, p.last_date + $same_cycle_days)
                        ) / $two_weekly_days
                    ) as integer
                )
            )
        ) as partner_days
    from told as d
    inner join told as p on d.episode_key = p.episode_key
    where
        d.ingredient = 'docetaxel'
        and p.ingredient in ('carboplatin', 'cyclophosphamide')
        and p.first_date <= d.last_date + $same_cycle_days
        and p.last_date >= d.first_date - $same_cycle_days
    group by
        d.episode_key,
        p.ingredient,
        d.span_number,
        d.most_days
),

perhaps_pairs as (
    select
        episode_key,
        sum(least(most_days, partner_days)) filter (where ingredient = 'carboplatin') as docetaxel_carboplatin,
        sum(least(most_days, partner_days)) filter (
            where ingredient = 'cyclophosphamide'
        ) as docetaxel_cyclophosphamide
    from perhaps_partners
    group by episode_key
),

perhaps_drugs as (
    select
        t.episode_key,
        sum(t.most_days) filter (where i.is_anthracycline) as anthracycline,
        sum(t.most_days) filter (where i.is_taxane) as taxane,
        sum(t.most_days) filter (
            where i.is_taxane and t.ingredient not in ('docetaxel', 'docetaxel-or-paclitaxel')
        ) as paclitaxel
    from told as t
    inner join ingredients as i on t.ingredient = i.ingredient
    group by t.episode_key
),

drugs as (
    select
        patient_key,
        episode_key,
        ingredient,
        is_taxane,
        is_anthracycline,
        is_platinum,
        sum(cycle_days) as cycle_days,
        min(dose_date) as first_date,
        max(dose_date) as last_date,
        count(*) as days,
        bool_or(open_course) as is_open,
        bool_or(in_sequence) as in_sequence,
        bool_or(is_regimen) and count(*) = 1 as named_once,
        bool_and(beside) as beside,
        max(stop_reason) filter (where stop_reason in ('toxicity', 'patient-refusal', 'progression')) as stop_reason
    from given
    group by
        patient_key,
        episode_key,
        ingredient,
        is_taxane,
        is_anthracycline,
        is_platinum
)

select
    d.patient_key,
    d.episode_key,
    min(d.first_date) as first_date,
    max(d.last_date) as last_date,
    coalesce(min(u.series_end), max(d.last_date)) as series_end,
    min(d.first_date) filter (
        where d.is_anthracycline and d.first_date < coalesce(u.resumed_date, date '9999-12-31')
    ) as first_anthracycline_date,
    coalesce(sum(d.cycle_days) filter (where d.is_anthracycline), 0) as anthracycline,
    coalesce(sum(d.cycle_days) filter (where d.is_taxane), 0) as taxane,
    coalesce(
        sum(d.cycle_days) filter (
            where d.is_taxane and d.ingredient not in ('docetaxel', 'docetaxel-or-paclitaxel')
        ),
        0
    ) as paclitaxel,
    bool_or(d.is_taxane and not d.beside)
    and not bool_or(
        not d.beside
        and (
            d.is_anthracycline
            or d.is_platinum
            or d.ingredient in ('cyclophosphamide', 'docetaxel', 'docetaxel-or-paclitaxel')
        )
    ) as paclitaxel_alone,
    bool_or(d.beside) as beside,
    bool_or(d.ingredient = 'docetaxel-or-paclitaxel') as unnamed_taxane,
    coalesce(max(p.docetaxel_carboplatin), 0) as docetaxel_carboplatin,
    coalesce(max(p.docetaxel_cyclophosphamide), 0) as docetaxel_cyclophosphamide,
    coalesce(max(m.anthracycline), 0) as most_anthracycline,
    coalesce(max(m.taxane), 0) as most_taxane,
    coalesce(max(m.paclitaxel), 0) as most_paclitaxel,
    coalesce(max(q.docetaxel_carboplatin), 0) as most_docetaxel_carboplatin,
    coalesce(max(q.docetaxel_cyclophosphamide), 0) as most_docetaxel_cyclophosphamide,
    bool_or(d.is_open) as is_open,
    bool_or(d.in_sequence) as in_sequence,
    bool_or(d.named_once) as named_once,
    coalesce(
        bool_or(d.is_open or d.named_once) filter (
            where d.is_taxane and d.ingredient not in ('docetaxel', 'docetaxel-or-paclitaxel')
        ),
        false
    ) as paclitaxel_not_counted,
    max(d.stop_reason) as stop_reason,
    list_sort(list(
        d.ingredient || ' on ' || cast(d.days as varchar) || ' days, ' || cast(d.first_date as varchar) || ' to '
        || cast(d.last_date as varchar)
    )) as given
from drugs as d
left join pairs as p on d.episode_key = p.episode_key
left join perhaps_drugs as m on d.episode_key = m.episode_key
left join perhaps_pairs as q on d.episode_key = q.episode_key
left join pauses as u on d.episode_key = u.episode_key
group by
    d.patient_key,
    d.episode_key;
